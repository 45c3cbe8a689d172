// Owns measuring embeddings: each of our backends beside the same ONNX file under transformers.js, and beside
// its fp32 and q8 exports where they were built, turn by turn in one run, in Chromium and in Node.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createTokenizer } from '../../runtime/engine/tokenizer.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, mulberry32, printBench } from '../report.ts';
import { openChromiumContenders } from './pages/embed-chromium.ts';
import { openNodeContenders } from './pages/embed-node.ts';

/** One way of turning texts into vectors. */
export interface Contender {
  /** Unique within a place, e.g. `kernel` or `transformers.js q8`. */
  readonly name: string;
  readonly ours: boolean;
  /** Milliseconds that one call with these texts took, tokenising and pooling included. */
  time(texts: readonly string[]): Promise<number>;
}

export interface Place {
  readonly contenders: readonly Contender[];
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** A peer's files: `folder/id/onnx/model….onnx`, as transformers.js wants them. */
export interface PeerModel {
  readonly label: string;
  readonly folder: string;
  readonly id: string;
  readonly dtype: 'fp32' | 'q8';
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const MODEL = 'all-minilm-l6-v2';
const TOKENS = 16;
const SENTENCES = 64;
const SETTLE_MS = 20;

const PLACES: Readonly<Record<string, (peers: readonly PeerModel[]) => Promise<Place>>> = Object.freeze({
  chromium: openChromiumContenders,
  node: openNodeContenders,
});

export const command: ScriptCommand = {
  summary: 'embedding latency, 1 and 64 sentences, every backend beside transformers.js and ONNX Runtime',
  configure(bench) {
    bench
      .option('--where <places>', 'comma-separated: chromium, node', 'chromium,node')
      .option('--rounds <n>', 'timed calls a contender with one sentence; a fifth of them with 64', '40')
      .action(async (options: { where: string; rounds: string; json?: boolean }) => {
        await run(options.where.split(','), Number(options.rounds), options.json === true);
      });
  },
};

async function run(where: readonly string[], rounds: number, json: boolean): Promise<void> {
  const sentences = makeSentences();
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  const notes = [
    `${TOKENS} tokens a sentence; milliseconds for a whole call: tokenise, run, pool, hand back.`,
    'Contenders take turns, so load on the machine meets all of them.',
  ];
  for (const name of where) {
    const open = PLACES[name];
    if (open === undefined) throw new Error(`--where knows chromium and node, not ${name}.`);
    const place = await open(findPeers());
    try {
      for (const count of [1, SENTENCES]) {
        const times = count === 1 ? rounds : Math.max(3, Math.round(rounds / 5));
        const samples = await takeTurns(place.contenders, sentences.slice(0, count), times);
        for (const [contender, values] of samples) {
          cases.push({ case: `${name} ${count} ${contender.name}`, unit: 'ms', samples: values });
        }
        Object.assign(ratios, compare(name, count, samples));
      }
      notes.push(...place.notes);
    } finally {
      await place.close();
    }
  }
  printBench({ name: 'embed', cases, ratios, notes }, json);
}

type Samples = ReadonlyMap<Contender, readonly number[]>;

async function takeTurns(
  contenders: readonly Contender[],
  texts: readonly string[],
  rounds: number,
): Promise<Samples> {
  const samples = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
  for (let round = -2; round < rounds; round += 1) {
    for (const [contender, values] of samples) {
      const ms = await contender.time(texts);
      // Native thread pools spin for a while after their work; the next contender must not pay for that.
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      if (round >= 0) values.push(ms);
    }
  }
  return samples;
}

/** Our fastest backend over every peer, and the kernel on one thread, since a page is rarely given two. */
function compare(place: string, count: number, samples: Samples): Record<string, number> {
  const medians = [...samples].map(([contender, values]) => ({ contender, ms: median(values) }));
  const ours = medians.filter(({ contender }) => contender.ours).sort((a, b) => a.ms - b.ms);
  const kernel = ours.find(({ contender }) => contender.name === 'kernel');
  const ratios: Record<string, number> = {};
  for (const peer of medians.filter(({ contender }) => !contender.ours)) {
    const key = `${place} ${count}`;
    if (ours[0]) ratios[`${key}: ours over ${peer.contender.name}`] = peer.ms / ours[0].ms;
    if (kernel) ratios[`${key}: kernel over ${peer.contender.name}`] = peer.ms / kernel.ms;
  }
  return ratios;
}

function findPeers(): readonly PeerModel[] {
  const built = `${ROOT}.nearfield/models/`;
  const peers: readonly PeerModel[] = [
    { label: 'same file', folder: `${ROOT}models/`, id: MODEL, dtype: 'fp32' },
    { label: 'fp32', folder: built, id: `${MODEL}-fp32`, dtype: 'fp32' },
    { label: 'q8', folder: built, id: `${MODEL}-q8`, dtype: 'q8' },
  ];
  return peers.filter(({ folder, id }) => existsSync(`${folder}${id}`));
}

const WORDS = (
  'the of and to in a is that for on was with as it be by are this at from or have an they which one you had ' +
  'not but what all were when we there can said use each she do how their if will up other about out many time'
).split(' ');

/** Distinct sentences of exactly TOKENS tokens, the same in every run. */
function makeSentences(): readonly string[] {
  const tokenizer = createTokenizer(readFileSync(`${ROOT}models/${MODEL}/tokenizer.json`), 256);
  const next = mulberry32(16);
  const word = () => WORDS[Math.floor(next() * WORDS.length)]!;
  return Array.from({ length: SENTENCES }, () => {
    const sentence = Array.from({ length: TOKENS - 2 }, word).join(' ');
    const tokens = tokenizer.encode(sentence).length;
    if (tokens !== TOKENS) throw new Error(`Expected ${TOKENS} tokens a sentence, got ${tokens}.`);
    return sentence;
  });
}
