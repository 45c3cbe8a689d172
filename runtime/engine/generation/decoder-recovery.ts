// Owns going on after a device was lost: another decoder is opened in its place and each conversation's tokens are
// computed again there when it next speaks, so that an answer under way goes on with the token after its last. Whoever
// holds a sequence notices nothing but the time.
import { isAbortError, isNearfieldError, NearfieldError } from '../../errors.ts';
import type { Decoder, DecoderSequence, ForwardWork } from './types.ts';

export interface RecoveryOptions {
  /** Opens what takes a lost decoder's place; told which was lost. */
  reopen(lost: Decoder): Promise<Decoder>;
}

/** @throws device-lost, retryable, from `forward` where nothing could be opened in the lost one's place */
export function recoveringDecoder(first: Decoder, { reopen }: RecoveryOptions): Decoder {
  let decoder = first;
  /** Lost and not replaced yet: nothing may be asked of it. */
  let gone: Decoder | undefined;
  let reopening: Promise<void> | undefined;
  let disposed = false;

  async function replace(lost: Decoder): Promise<void> {
    // It may never answer again.
    if (gone !== lost) void lost.dispose().catch(() => undefined);
    gone = lost;
    try {
      decoder = await reopen(lost);
    } catch (cause) {
      const text = 'The device was lost and nothing could be opened in its place. Ask again.';
      throw new NearfieldError('device-lost', text, { cause });
    }
    if (disposed) await decoder.dispose();
  }

  /** Several may see one loss; one replaces it, the others wait. */
  async function recover(lost: Decoder, signal: AbortSignal | undefined): Promise<void> {
    if (decoder !== lost) return;
    reopening ??= replace(lost).finally(() => {
      reopening = undefined;
    });
    await withAbort(reopening, signal);
  }

  async function forward(
    work: readonly ForwardWork[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly Float32Array[]> {
    for (;;) {
      if (gone === decoder) await recover(decoder, options.signal);
      const current = decoder;
      try {
        const inner: ForwardWork[] = [];
        for (const { sequence, tokens, logits } of work) {
          inner.push({ sequence: await onto(current, sequence, options), tokens, logits });
        }
        const rows = await current.forward(inner, options);
        for (const { sequence, tokens } of work) (sequence as Remembering).tokens.push(...tokens);
        return rows;
      } catch (error) {
        if (!isLoss(error) || disposed) throw error;
        await recover(current, options.signal);
      }
    }
  }

  function remembering(tokens: number[], inner: DecoderSequence | undefined): Remembering {
    return new Remembering(tokens, inner, () => decoder, remembering);
  }

  return {
    get backend() {
      return decoder.backend;
    },
    vocab: first.vocab,
    context: first.context,
    open: () => remembering([], gone === decoder ? undefined : decoder.open()),
    forward,
    memory: () => decoder.memory(),
    async dispose() {
      disposed = true;
      await reopening?.catch(() => undefined);
      await decoder.dispose();
    },
  };
}

/** The sequence on this decoder, with all of its tokens; what is missing is computed. */
async function onto(
  decoder: Decoder,
  sequence: DecoderSequence,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<DecoderSequence> {
  if (!(sequence instanceof Remembering)) {
    throw new NearfieldError('invalid-request', 'Expected an open sequence of this decoder.');
  }
  const inner = sequence.on(decoder);
  const missing = sequence.tokens.slice(inner.length);
  if (missing.length > 0) {
    await decoder.forward([{ sequence: inner, tokens: missing, logits: 'none' }], options);
  }
  return inner;
}

class Remembering implements DecoderSequence {
  readonly tokens: number[];
  #inner: DecoderSequence | undefined;
  #owner: Decoder;
  #open = true;
  readonly #current: () => Decoder;
  readonly #make: (tokens: number[], inner: DecoderSequence | undefined) => Remembering;

  constructor(
    tokens: number[],
    inner: DecoderSequence | undefined,
    current: () => Decoder,
    make: (tokens: number[], inner: DecoderSequence | undefined) => Remembering,
  ) {
    this.tokens = tokens;
    this.#inner = inner;
    this.#owner = current();
    this.#current = current;
    this.#make = make;
  }

  get length(): number {
    return this.tokens.length;
  }

  /** Opened anew where the decoder is another one than the last time. @throws out-of-memory */
  on(decoder: Decoder): DecoderSequence {
    if (!this.#open) throw new NearfieldError('invalid-request', 'This sequence was closed.');
    if (this.#inner === undefined || this.#owner !== decoder) {
      this.#inner = decoder.open();
      this.#owner = decoder;
    }
    return this.#inner;
  }

  truncate(length: number): void {
    const inner = this.#living();
    const kept = this.#prefix(length);
    if (inner !== undefined && inner.length > kept) inner.truncate(kept);
    this.tokens.length = kept;
  }

  fork(length: number): DecoderSequence {
    const inner = this.#living();
    const kept = this.tokens.slice(0, this.#prefix(length));
    const whole = inner !== undefined && inner.length >= kept.length;
    return this.#make(kept, whole ? inner.fork(kept.length) : undefined);
  }

  close(): void {
    this.#living()?.close();
    this.#inner = undefined;
    this.#open = false;
    this.tokens.length = 0;
  }

  /** A lost decoder's sequences are gone with it. */
  #living(): DecoderSequence | undefined {
    return this.#owner === this.#current() ? this.#inner : undefined;
  }

  #prefix(length: number): number {
    if (Number.isInteger(length) && length >= 0 && length <= this.tokens.length) return length;
    const text = `Expected 0…${this.tokens.length} tokens to keep, ${length} came.`;
    throw new NearfieldError('invalid-request', text);
  }
}

function isLoss(error: unknown): boolean {
  return !isAbortError(error) && isNearfieldError(error) && error.code === 'device-lost';
}

function withAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
