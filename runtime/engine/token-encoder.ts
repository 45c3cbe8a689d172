// Owns the in-process token encoder: a model opened on the ladder and checked against its golden scores, its
// small files kept for whoever reads the scores. The tagger sits on it; nothing here knows what labels mean.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { FileRole, LoadedModel } from '../models.ts';
import type { EncoderInput, EncoderSession, TokenEncoder } from '../types.ts';
import type { BackendFactory } from './backend.ts';
import type { MemoryBudget } from './memory.ts';
import { cosine } from './pooling.ts';
import { createLadder, type OpenRung, type Rung } from './session.ts';

export interface LocalTokenEncoderOptions {
  readonly model: LoadedModel;
  readonly backends: readonly BackendFactory[];
  readonly threads?: number | undefined;
  readonly memoryBudget?: MemoryBudget | undefined;
  readonly onFall?: ((from: string, error: unknown) => void) | undefined;
}

export interface LocalTokenEncoder extends TokenEncoder {
  /** Opens the backend now instead of at the first run. Returns its id. */
  warm(signal?: AbortSignal): Promise<string>;
}

/** A token encoder in this very thread; opened at its first run. @throws model-unsupported */
export function createLocalTokenEncoder(options: LocalTokenEncoderOptions): LocalTokenEncoder {
  const { model, backends, memoryBudget } = options;
  const { manifest } = model;
  const golden = model.has('golden') ? parseTokenGolden(model.file('golden')) : undefined;
  const ladder = createLadder<EncoderSession>({
    rungs: backends.map((factory) => toRung(factory, options, golden)),
    choiceKey: model.weightsHash,
    // Models this small gain nothing from being timed twice.
    contenders: 1,
    onFall: options.onFall,
    memory: memoryBudget && { budget: memoryBudget, bytes: model.file('weights').byteLength },
  });
  return {
    model: manifest.id,
    weightsHash: model.weightsHash,
    dims: manifest.dims,
    maxTokens: manifest.maxTokens,
    backend: () => ladder.backend() ?? 'none',
    file: (role: FileRole) => model.file(role),
    async run(input, { signal } = {}) {
      signal?.throwIfAborted();
      return await ladder.use((session) => session.run(input, 'tokens'), signal);
    },
    warm: (signal) => ladder.warm(signal),
    dispose: () => ladder.dispose(),
  };
}

function toRung(
  factory: BackendFactory,
  { model, threads }: LocalTokenEncoderOptions,
  golden: TokenGolden | undefined,
): Rung<EncoderSession> {
  return {
    id: factory.id,
    available: () => factory.available(),
    async open(): Promise<OpenRung<EncoderSession>> {
      const session = await factory.create(model, { threads });
      try {
        if (golden !== undefined) await checkTokens(session, golden);
      } catch (error) {
        await session.dispose().catch(() => undefined);
        throw error;
      }
      return { value: session, time: async () => 0, dispose: () => session.dispose() };
    },
  };
}

/** What a backend must reproduce: token scores of the model before rounding. */
export interface TokenGolden {
  readonly texts: readonly string[];
  readonly inputIds: readonly (readonly number[])[];
  readonly typeIds?: readonly (readonly number[])[] | undefined;
  /** [texts][tokens * dims] */
  readonly scores: readonly (readonly number[])[];
  /** Least cosine of a text's scores to these. Default 0.99. */
  readonly minCosine?: number | undefined;
}

const goldenSchema: z.ZodMiniType<TokenGolden> = z.looseObject({
  texts: z.array(z.string()).check(z.minLength(1)),
  inputIds: z.array(z.array(z.int())),
  typeIds: z.optional(z.array(z.array(z.int()))),
  scores: z.array(z.array(z.number())),
  minCosine: z.optional(z.number()),
});

/** As for sentence vectors: rounding and kernel together; a wrong kernel lands far below. */
const MIN_COSINE = 0.99;

/** @throws model-unsupported when the file is not a golden file of token scores */
export function parseTokenGolden(bytes: Uint8Array): TokenGolden {
  try {
    return goldenSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The golden file needs texts, inputIds and scores.', {
      cause,
    });
  }
}

/** @throws golden-mismatch */
export async function checkTokens(session: EncoderSession, golden: TokenGolden): Promise<void> {
  for (const [at, ids] of golden.inputIds.entries()) {
    const types = golden.typeIds?.[at];
    const input: EncoderInput = {
      inputIds: Int32Array.from(ids),
      rowTokens: Int32Array.of(ids.length),
      typeIds: types && Int32Array.from(types),
    };
    const similarity = cosine(await session.run(input, 'tokens'), Float32Array.from(golden.scores[at] ?? []));
    if (similarity >= (golden.minCosine ?? MIN_COSINE)) continue;
    throw new NearfieldError(
      'golden-mismatch',
      `Golden text ${at} on ${session.backend}: cosine ${similarity.toFixed(4)} of its token scores.`,
    );
  }
}
