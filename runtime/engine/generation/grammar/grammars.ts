// Owns the grammars a generator decodes by: any JSON object, a schema's values, calls of tools. Made once a
// schema and kept; the vocabulary's tree is made with the first.
import type { ToolDefinition } from '../../../types.ts';
import type { TokenGrammar } from '../token-grammar.ts';
import { CALL_END, CALL_START } from '../tool-text.ts';
import type { Vocabulary } from '../vocabulary.ts';
import { choice, type Expression, later, sequence, text } from './expression.ts';
import { createMachine } from './machine.ts';
import { refuse } from './refusals.ts';
import { schemaExpression } from './schema-expression.ts';
import { createTokenMasks } from './token-masks.ts';
import { createTokenTrie, type TokenTrie } from './token-trie.ts';

export interface Grammars {
  /** Values of a schema; `at` is its place in the request. @throws invalid-request */
  json(schema: unknown, at: string): TokenGrammar;
  jsonObject(): TokenGrammar;
  /** Calls of these, each in its frame: one, or one after another. @throws invalid-request */
  calls(tools: readonly ToolDefinition[], several: boolean): TokenGrammar;
}

export interface GrammarsOptions {
  readonly vocabulary: Vocabulary;
  readonly endIds: ReadonlySet<number>;
  /** Entries of a row of logits. */
  readonly vocab: number;
  /** Grammars kept. Default 16. */
  readonly maxKept?: number | undefined;
}

export function createGrammars(options: GrammarsOptions): Grammars {
  const { maxKept = 16 } = options;
  const kept = new Map<string, TokenGrammar>();
  let trie: TokenTrie | undefined;

  function made(key: string, at: string, expression: () => Expression): TokenGrammar {
    const known = kept.get(key);
    if (known !== undefined) {
      kept.delete(key);
      kept.set(key, known);
      return known;
    }
    const machine = createMachine(expression());
    if (machine.closing(machine.start) === undefined) {
      refuse(at, 'no value satisfies this schema');
    }
    trie ??= createTokenTrie(options.vocabulary);
    const grammar = createTokenMasks({ ...options, machine, trie });
    kept.set(key, grammar);
    if (kept.size > maxKept) kept.delete(kept.keys().next().value!);
    return grammar;
  }

  return {
    json: (schema, at) => made(`json ${JSON.stringify(schema)}`, at, () => schemaExpression(schema, at)),
    jsonObject: () =>
      made('object', 'response_format', () => schemaExpression({ type: 'object' }, 'response_format')),
    calls: (tools, several) =>
      made(`calls ${several} ${JSON.stringify(tools)}`, 'tools', () => callsOf(tools, several)),
  };
}

/**
 * A lone call ends with its last brace, which saves the rest of its frame. Where another may follow the
 * frame is closed first, as models have learned it; what is said then decides.
 */
function callsOf(tools: readonly ToolDefinition[], several: boolean): Expression {
  const one = choice(tools.map(callOf));
  if (!several) return one;
  const all: Expression = sequence(
    one,
    text(`\n${CALL_END}`),
    choice([
      text(''),
      sequence(
        text('\n'),
        later(() => all),
      ),
    ]),
  );
  return all;
}

function callOf({ function: { name, parameters } }: ToolDefinition, index: number): Expression {
  const at = `tools[${index}].function.parameters`;
  return sequence(
    text(`${CALL_START}\n{"name": ${JSON.stringify(name)}, "arguments": `),
    schemaExpression(parameters ?? { type: 'object', additionalProperties: false }, at),
    text('}'),
  );
}
