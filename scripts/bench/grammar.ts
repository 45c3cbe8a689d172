// Owns what structured output costs: a schema made ready, and the mask of allowed tokens at every token of a
// value, ours beside XGrammar's WASM on the same schemas, the same vocabulary and the same values.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction, constants } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Coverage, KEPT, REFUSED } from '../../runtime/engine/generation/fixtures/schema-coverage.ts';
import { HAND_WRITTEN } from '../../runtime/engine/generation/fixtures/schemas.ts';
import { createGrammars } from '../../runtime/engine/generation/grammar/grammars.ts';
import { createVocabulary, type Vocabulary } from '../../runtime/engine/generation/vocabulary.ts';
import type { ScriptCommand } from '../cli.ts';
import { decoderFolder } from '../decoders.ts';
import { type BenchCase, median, printBench, quantile } from '../report.ts';

/** Values that somebody could want, in the form both sides write. */
const CASES: readonly { readonly schema: object; readonly value: string }[] = [
  { schema: HAND_WRITTEN[0] as object, value: '{"name": "Ada Lovelace", "age": 36}' },
  {
    schema: HAND_WRITTEN[1] as object,
    value:
      '{"steps": [{"explanation": "Subtract 7 from both sides of the equation.", "output": "8x = -30"}, {"explanation": "Divide both sides by 8, which leaves x alone.", "output": "x = -3.75"}], "final_answer": "x is minus three and three quarters"}',
  },
  { schema: HAND_WRITTEN[3] as object, value: '{"sentiment": "negative", "score": -0.75}' },
  {
    schema: HAND_WRITTEN[6] as object,
    value: '{"email": "ada@example.org", "born": "1815-12-10", "at": "2026-01-02T03:04:05Z"}',
  },
  {
    schema: HAND_WRITTEN[8] as object,
    value: '{"code": "ABC-1234", "tags": ["red", "green apples", "blue"]}',
  },
];

export const command: ScriptCommand = {
  summary: 'structured output: milliseconds to make a schema ready and to mask a token, beside XGrammar',
  configure(bench) {
    bench
      .option('--model <id>', 'whose vocabulary')
      .action(async (options: { json?: boolean; model?: string }) => {
        const folder = decoderFolder(options.model);
        const vocabulary = createVocabulary(await readFile(`${folder}/tokenizer.json`));
        const end = vocabulary.idOf('<|im_end|>') ?? 0;
        const ours = measureOurs(vocabulary, end);
        const refused = new Set<string>();
        const theirs = await measureXGrammar(vocabulary, end, refused);
        const cases: BenchCase[] = [
          ...casesOf('ours', ours),
          ...casesOf('XGrammar', theirs),
          ...(await sizes()),
        ];
        const ratios = {
          'mask, first use (XGrammar / ours)': median(theirs.first) / median(ours.first),
          'mask, p95 of first use (XGrammar / ours)':
            quantile(theirs.first, 0.95) / quantile(ours.first, 0.95),
          'mask, seen before (XGrammar / ours)': median(theirs.again) / Math.max(1e-6, median(ours.again)),
          'schema to first mask (XGrammar / ours)': median(theirs.ready) / median(ours.ready),
        };
        const notes = [
          `${vocabulary.size} tokens; ${CASES.length} schemas; a mask at every token of a value, first in a fresh grammar, then again.`,
          'XGrammar prepares masks when it compiles, ours when a state is first met and keeps them.',
          ...[...refused].map((value) => `XGrammar refuses a value of its schema: ${value}`),
          ...verdictNotes(
            'ours',
            await verdictsOf((schema, value) => takesOurs(vocabulary, end, schema, value)),
          ),
          ...verdictNotes('XGrammar', await verdictsOf(takesXGrammar(vocabulary, end))),
        ];
        printBench({ name: 'grammar', cases, ratios, notes }, options.json === true);
      });
  },
};

interface Times {
  /** A schema to its first mask. */
  readonly ready: number[];
  /** A mask in a fresh grammar, and once more. */
  readonly first: number[];
  readonly again: number[];
}

function measureOurs(vocabulary: Vocabulary, end: number): Times {
  const times: Times = { ready: [], first: [], again: [] };
  const fresh = () => createGrammars({ vocabulary, endIds: new Set([end]), vocab: vocabulary.size });
  // The vocabulary's tree is made once a model, like XGrammar's TokenizerInfo.
  const warm = fresh();
  warm.jsonObject().mask(warm.jsonObject().start);
  for (const { schema, value } of CASES) {
    const began = performance.now();
    const grammar = warm.json(schema, 'schema');
    grammar.mask(grammar.start);
    times.ready.push(performance.now() - began);
    const ids = vocabulary.encodePlain(value);
    for (const into of [times.first, times.again]) {
      let state = grammar.start;
      for (const id of ids) {
        const at = performance.now();
        grammar.mask(state);
        into.push(performance.now() - at);
        const next = grammar.next(state, id);
        if (next === undefined) throw new Error(`Ours refuses ${value}`);
        state = next;
      }
    }
  }
  return times;
}

async function measureXGrammar(vocabulary: Vocabulary, end: number, refused: Set<string>): Promise<Times> {
  const times: Times = { ready: [], first: [], again: [] };
  const { GrammarCompiler, GrammarMatcher, TokenizerInfo } = await loadXGrammar();
  const names = Array.from({ length: vocabulary.size }, (_, id) => vocabularyName(vocabulary, id));
  const info = await TokenizerInfo.createTokenizerInfo(names, 'byte_level', false, vocabulary.size, [end]);
  const compiler = await GrammarCompiler.createGrammarCompiler(info);
  for (const { schema, value } of CASES) {
    const began = performance.now();
    const compiled = await compiler.compileJSONSchema(JSON.stringify(schema), true);
    const matcher = await GrammarMatcher.createGrammarMatcher(compiled);
    await matcher.getNextTokenBitmask();
    times.ready.push(performance.now() - began);
    for (const into of [times.first, times.again]) {
      matcher.reset();
      for (const id of vocabulary.encodePlain(value)) {
        const at = performance.now();
        await matcher.getNextTokenBitmask();
        into.push(performance.now() - at);
        if (matcher.acceptToken(id)) continue;
        refused.add(value);
        break;
      }
    }
  }
  return times;
}

/** `nullable` is OpenAPI's own. */
const { nullable: _, ...JSON_SCHEMA } = KEPT;
const COVERAGE: Coverage = { ...JSON_SCHEMA, ...REFUSED };

/** What became of a keyword: kept to, refused by an error, ignored (takes what it forbids), or no use (takes nothing). */
type Verdict = 'kept' | 'refused' | 'ignored' | 'no use';

/** `takes` throws where the schema is refused. */
async function verdictsOf(
  takes: (schema: object, value: string) => boolean | Promise<boolean>,
): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const [keyword, [schema, right, wrong]] of Object.entries(COVERAGE)) {
    try {
      const takesRight = await takes(schema, spaced(right));
      const takesWrong = await takes(schema, spaced(wrong));
      verdicts.set(keyword, !takesRight ? 'no use' : takesWrong ? 'ignored' : 'kept');
    } catch {
      verdicts.set(keyword, 'refused');
    }
  }
  return verdicts;
}

/** As both sides write JSON: a blank after colons and commas. */
function spaced(value: unknown): string {
  return JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"|[:,]/g, (at) => (at.length > 1 ? at : `${at} `));
}

function takesOurs(vocabulary: Vocabulary, end: number, schema: object, value: string): boolean {
  const grammars = createGrammars({ vocabulary, endIds: new Set([end]), vocab: vocabulary.size });
  const grammar = grammars.json(schema, 'schema');
  const state = grammar.nextText(grammar.start, value);
  return state !== undefined && grammar.closing(state).length === 0;
}

/** By JSON Schema's own rules, which leave objects and lists open; its strict mode closes them. */
function takesXGrammar(
  vocabulary: Vocabulary,
  end: number,
): (schema: object, value: string) => Promise<boolean> {
  const open = async () => {
    const { GrammarCompiler, GrammarMatcher, TokenizerInfo } = await loadXGrammar();
    const names = Array.from({ length: vocabulary.size }, (_, id) => vocabularyName(vocabulary, id));
    const info = await TokenizerInfo.createTokenizerInfo(names, 'byte_level', false, vocabulary.size, [end]);
    return { GrammarMatcher, compiler: await GrammarCompiler.createGrammarCompiler(info) };
  };
  let instance: ReturnType<typeof open> | undefined;
  return async (schema, value) => {
    instance ??= open();
    const { GrammarMatcher, compiler } = await instance;
    try {
      const json = JSON.stringify(schema);
      const compiled = await compiler.compileJSONSchema(json, true, undefined, undefined, false);
      const matcher = await GrammarMatcher.createGrammarMatcher(compiled);
      return vocabulary.encodePlain(value).every((id) => matcher.acceptToken(id)) && matcher.acceptToken(end);
    } catch (error) {
      // It refuses by aborting its WASM, which is of no use afterwards.
      instance = undefined;
      throw error;
    }
  };
}

function verdictNotes(side: string, verdicts: ReadonlyMap<string, Verdict>): readonly string[] {
  const of = (verdict: Verdict) =>
    [...verdicts].filter(([, found]) => found === verdict).map(([name]) => name);
  const parts = (['kept', 'refused', 'ignored', 'no use'] as const).map((verdict) => {
    const names = of(verdict);
    const told = verdict === 'kept' || names.length === 0 ? '' : ` (${names.join(', ')})`;
    return `${verdict} ${names.length}${told}`;
  });
  return [`Of ${verdicts.size} keywords ${side}: ${parts.join('; ')}.`];
}

/** Published as a script of the old kind in a package of the new: neither import nor require takes it in Node. */
async function loadXGrammar(): Promise<typeof import('@mlc-ai/web-xgrammar')> {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@mlc-ai/web-xgrammar');
  const exports = {};
  const names = ['exports', 'module', 'require', '__filename', '__dirname'];
  compileFunction(await readFile(path, 'utf8'), names, {
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })(exports, { exports }, require, path, dirname(path));
  return exports as typeof import('@mlc-ai/web-xgrammar');
}

/** A token's name in GPT-2's letters, as tokenizer.json has it. */
function vocabularyName(vocabulary: Vocabulary, id: number): string {
  const bytes = vocabulary.bytesOf(id);
  return bytes === undefined
    ? (vocabulary.nameOf(id) ?? '')
    : [...bytes].map((byte) => LETTERS[byte]).join('');
}

const LETTERS: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

function casesOf(who: string, times: Times): BenchCase[] {
  return [
    { case: `${who}, schema to first mask`, unit: 'ms', samples: times.ready },
    { case: `${who}, mask of a token, first use`, unit: 'ms', samples: times.first },
    { case: `${who}, mask of a token, seen before`, unit: 'ms', samples: times.again },
  ];
}

async function sizes(): Promise<BenchCase[]> {
  const entry = new URL('../../runtime/engine/generation/grammar/grammars.ts', import.meta.url).pathname;
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    external: ['zod'],
  });
  const theirs = await readFile(createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar'));
  const kB = (bytes: Uint8Array) => gzipSync(bytes).byteLength / 1000;
  return [
    { case: 'ours, script gz', unit: 'kB', samples: [kB(outputFiles[0]!.contents)] },
    { case: 'XGrammar, script with WASM gz', unit: 'kB', samples: [kB(theirs)] },
  ];
}
