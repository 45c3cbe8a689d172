// Owns which backend decodes: each row is opened, checked by forced decoding, and the front runners timed once,
// through the same ladder as the encoders'. A row is a line of a table; a new backend is a new line.

import { NearfieldError } from '../../errors.ts';
import type { Verdict } from '../../model-files/source.ts';
import type { Manifest } from '../../models.ts';
import type { BackendId } from '../../types.ts';
import type { WeightsSource } from '../kernel/decoder-weights.ts';
import { type ChoiceStore, createLadder } from '../session.ts';
import { checkDecoder, type DecoderGolden, timeDecoder } from './decoder-golden.ts';
import { recoveringDecoder } from './decoder-recovery.ts';
import type { Decoder } from './types.ts';

/** A causal language model ready to be opened, more than once where backends are tried. */
export interface DecoderModel {
  readonly manifest: Manifest;
  readonly weightsHash: string;
  readonly golden?: DecoderGolden | undefined;
  /** The weights from their start, each time. */
  weights(): WeightsSource | Promise<WeightsSource>;
  /** After a backend failed: whether the weights were at fault. Default: they were not. */
  verdict?(): Promise<Verdict>;
}

export interface DecoderLimits {
  readonly threads?: number | undefined;
  /** Most tokens a sequence may hold. */
  readonly context?: number | undefined;
  /** Most bytes of keys and values, all sequences together. */
  readonly cacheBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number, of: number) => void) | undefined;
}

export interface DecoderRow {
  readonly id: BackendId;
  /** Cheap: looks at the platform, loads nothing. */
  available(): boolean | Promise<boolean>;
  /** @throws model-unsupported, model-load-failed, out-of-memory, backend-unavailable, AbortError */
  create(model: DecoderModel, limits: DecoderLimits): Promise<Decoder>;
}

export interface DecoderChoiceOptions extends DecoderLimits {
  readonly choices?: ChoiceStore | undefined;
  /** What the choice is remembered under, beside the weights: the GPU's name, say. */
  readonly deviceKey?: string | undefined;
  /** Told of each backend left, and why. */
  readonly onFall?: ((from: BackendId, error: unknown) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

/** A device lost this often is not tried again while the model is open. */
const MOST_LOSSES = 2;

/**
 * The fastest backend that computes this model rightly. Where its device is lost it is opened once more, then the next:
 * sequences go on.
 * @throws what the last row threw, or backend-unavailable
 */
export async function openDecoder(
  model: DecoderModel,
  rows: readonly DecoderRow[],
  options: DecoderChoiceOptions = {},
): Promise<Decoder> {
  const able = await usable(rows);
  const lost = new Map<string, number>();
  return recoveringDecoder(await openBest(model, able, options), {
    async reopen({ backend }) {
      lost.set(backend, (lost.get(backend) ?? 0) + 1);
      options.onFall?.(backend as BackendId, new NearfieldError('device-lost', `${backend} was lost.`));
      const left = able.filter(({ id }) => (lost.get(id) ?? 0) < MOST_LOSSES);
      // The load's signal and progress are the load's; nobody waits for a race between backends now.
      const again = { ...options, signal: undefined, onProgress: undefined, choices: remembering(backend) };
      return await openBest(model, left, again, 1);
    },
  });
}

/** Tries this one first. */
function remembering(backend: string): ChoiceStore {
  return { get: async () => backend, set: async () => undefined };
}

async function openBest(
  model: DecoderModel,
  able: readonly DecoderRow[],
  options: DecoderChoiceOptions,
  most: number = 2,
): Promise<Decoder> {
  const { now = () => performance.now(), signal } = options;
  signal?.throwIfAborted();
  let wrong: NearfieldError | undefined;
  const ladder = createLadder<Decoder>({
    rungs: able.map((row) => ({
      id: row.id,
      available: () => true,
      async open() {
        if (wrong !== undefined) throw wrong;
        const decoder = await openRow(row, model, options).catch((error) => {
          if (isWrong(error)) wrong = error;
          throw error;
        });
        return { value: decoder, time: () => timeDecoder(decoder, now), dispose: () => decoder.dispose() };
      },
    })),
    choiceKey: `decoder ${model.weightsHash} ${able.map(({ id }) => id).join(' ')} ${options.deviceKey ?? ''}`,
    choices: options.choices,
    // Two copies of a language model are worth holding for a moment only where one of them is on a GPU.
    contenders: able.some(({ id }) => id === 'ort-webgpu') ? most : 1,
    openTimeoutMs: OPEN_MS,
    onFall: options.onFall,
  });
  return await ladder
    .use(async (decoder) => decoder, signal)
    .catch((error) => {
      throw wrong ?? error;
    });
}

/** Weights that were wrong are read once more where that brings others: the next backend would do no better with these. */
async function openRow(row: DecoderRow, model: DecoderModel, options: DecoderLimits): Promise<Decoder> {
  for (let again = true; ; again = false) {
    try {
      return await checked(await row.create(model, options), model.golden);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      const verdict = (await model.verdict?.()) ?? 'right';
      if (verdict === 'again' && again) continue;
      throw verdict === 'wrong' || verdict === 'again' ? asWrong(error, model) : error;
    }
  }
}

const isWrong = (error: unknown): error is NearfieldError =>
  error instanceof NearfieldError && error.code === 'integrity-mismatch';

/** A wrong file may fail in any way before its end is reached. */
function asWrong(error: unknown, { manifest }: DecoderModel): NearfieldError {
  if (isWrong(error)) return error;
  const text = `The weights of ${manifest.id} are not those its manifest names. Publish them again or correct the manifest.`;
  return new NearfieldError('integrity-mismatch', text, { cause: error });
}

/** Weights may come over a slow network. */
const OPEN_MS = 30 * 60_000;

async function usable(rows: readonly DecoderRow[]): Promise<readonly DecoderRow[]> {
  const asked = await Promise.all(
    rows.map(async (row) => ({ row, able: await Promise.resolve(row.available()).catch(() => false) })),
  );
  return asked.filter(({ able }) => able).map(({ row }) => row);
}

async function checked(decoder: Decoder, golden: DecoderGolden | undefined): Promise<Decoder> {
  if (golden === undefined) return decoder;
  try {
    await checkDecoder(decoder, golden);
    return decoder;
  } catch (error) {
    await decoder.dispose();
    throw error;
  }
}
