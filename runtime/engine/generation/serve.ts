// Owns the generator worker's side of the wire: one model, any number of conversations, until the page ends
// the worker. Which backends exist is handed in by the worker's entry.
import { NearfieldError, toWireError } from '../../errors.ts';
import { verifiedFile } from '../../model-files/source.ts';
import { describeModel } from '../../models.ts';
import type { ChoiceStore } from '../session.ts';
import { type DecoderModel, type DecoderRow, openDecoder } from './decoder-choice.ts';
import { parseDecoderGolden } from './decoder-golden.ts';
import type { Generator } from './generator.ts';
import { openGenerator } from './open.ts';
import { feedSource } from './weights-feed.ts';
import type { FromGenerator, ToGenerator } from './wire.ts';

/** The part of a worker's global scope used here. */
export interface GeneratorPort {
  postMessage(message: FromGenerator): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<ToGenerator>) => void): void;
}

/** Keys and values of so many tokens are some 100 MB for a small model; a page asks for more where it means to. */
const DEFAULT_CONTEXT = 2048;

type Asking = Exclude<ToGenerator, { type: 'abort' }>;

/** Answers the page's messages; call once, from a worker's entry. */
export function serveGenerator(
  port: GeneratorPort,
  rows: readonly DecoderRow[],
  choices?: ChoiceStore | undefined,
): void {
  const aborts = new Map<number, AbortController>();
  let generator: Generator | undefined;

  async function answer(message: Asking): Promise<FromGenerator> {
    const { id } = message;
    if (message.type === 'open') {
      generator = await open(message, rows, choices);
      await holdLock(message.lifeLock);
      return { type: 'opened', id, backend: generator.backend, context: generator.context };
    }
    if (generator === undefined) throw new NearfieldError('internal', 'The worker has no model open.');
    if (message.type === 'memory') return { type: 'done', id, memory: generator.memory() };
    if (message.type === 'forget') {
      generator.forget(message.scope);
      return { type: 'done', id };
    }
    const abort = new AbortController();
    aborts.set(id, abort);
    const parts = generator.stream(message.request, {
      signal: abort.signal,
      step: (name, durationMs, facts) => port.postMessage({ type: 'step', id, name, durationMs, facts }),
    });
    for await (const part of parts) port.postMessage({ type: 'part', id, part });
    return { type: 'done', id, backend: generator.backend };
  }

  port.addEventListener('message', ({ data: message }) => {
    if (message.type === 'abort') {
      aborts.get(message.target)?.abort();
      return;
    }
    void answer(message)
      .catch((error): FromGenerator => ({ type: 'failed', id: message.id, error: toWireError(error) }))
      .then((reply) => {
        aborts.delete(message.id);
        port.postMessage(reply);
      });
  });
}

async function open(
  { manifest, files, weights: port, options, backends }: Extract<ToGenerator, { type: 'open' }>,
  rows: readonly DecoderRow[],
  choices: ChoiceStore | undefined,
): Promise<Generator> {
  const loaded = describeModel(manifest, new Map(files));
  const text = (role: 'config' | 'golden') => (loaded.has(role) ? loaded.file(role) : undefined);
  const texts = { tokenizer: loaded.file('tokenizer'), config: text('config'), golden: text('golden') };
  const file = manifest.files.find(({ role }) => role === 'weights')!;
  const weights = verifiedFile(feedSource(port), file);
  const model: DecoderModel = {
    manifest,
    weightsHash: loaded.weightsHash,
    golden: texts.golden && parseDecoderGolden(texts.golden),
    weights: weights.parts,
    verdict: weights.verdict,
  };
  const allowed = rows.filter(({ id }) => backends?.includes(id) ?? true);
  const context = Math.min(options.context ?? DEFAULT_CONTEXT, manifest.maxTokens);
  const limits = { ...options, context, choices };
  return await openGenerator(() => openDecoder(model, allowed, limits), manifest, texts, options);
}

/** Resolves once held. Released by the browser when this worker ends, however it ends. */
function holdLock(name: string): Promise<void> {
  return new Promise((resolve) => {
    const held = navigator.locks?.request(name, () => {
      resolve();
      return new Promise(() => undefined);
    });
    // No locks here, or none allowed: then only the worker's own error events speak of its end.
    if (held === undefined) resolve();
    else held.catch(() => resolve());
  });
}
