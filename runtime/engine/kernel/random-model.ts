// Makes small encoders of random INT8 weights, as .onnx files, for tests: every shape the kernel claims.
import type { Manifest } from '../../models.ts';

export interface WrittenTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly bytes: Uint8Array;
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];

function block(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return join([Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]), ...parts]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** An ONNX file with these initialisers and no nodes. Dims are written packed in every second one. */
export function writeOnnx(tensors: readonly WrittenTensor[]): Uint8Array {
  const graph = tensors.map(({ name, dims, type, bytes }, index) => {
    const single = Uint8Array.from(dims.flatMap((dim) => [8, ...varint(dim)]));
    const packed = block(1, [Uint8Array.from(dims.flatMap(varint))]);
    const kind = Uint8Array.from([16, ...varint(type)]);
    return block(5, [index % 2 === 0 ? single : packed, kind, block(8, [text(name)]), block(9, [bytes])]);
  });
  const head = Uint8Array.from([8, 10]);
  return join([head, block(2, [text('test')]), block(7, [block(2, [text('graph')]), ...graph])]);
}

/** Numbers in -1…1 that look random and are the same every time. */
export function createNoise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export type Shape = Pick<
  Manifest,
  'dims' | 'hidden' | 'layers' | 'heads' | 'intermediate' | 'vocab' | 'maxTokens'
> & {
  readonly embedding?: { readonly dims: number; readonly bits?: 4 | 8 };
  readonly types?: number;
};

/** A manifest and the .onnx it describes. */
export function randomModel(
  shape: Shape,
  seed = 1,
): { readonly manifest: Manifest; readonly weights: Uint8Array } {
  const noise = createNoise(seed);
  const { hidden, intermediate, layers, vocab, dims, maxTokens } = shape;
  const embedDims = shape.embedding?.dims ?? hidden;
  const tensors: WrittenTensor[] = [];
  const floats = (name: string, length: number, value: () => number) =>
    tensors.push({
      name,
      dims: [length],
      type: 1,
      bytes: new Uint8Array(Float32Array.from({ length }, value).buffer),
    });
  const codes = (name: string, n: number, k: number, gain: number) => {
    const blocks = Math.ceil(k / 128);
    const bytes = new Uint8Array(n * blocks * 128).fill(128);
    for (let row = 0; row < n; row += 1) {
      // Cubed noise has the long tails of real weights.
      for (let i = 0; i < k; i += 1) bytes[row * blocks * 128 + i] = 128 + Math.round(127 * noise() ** 3);
    }
    tensors.push({ name: `${name}.q8`, dims: [n, blocks, 128], type: 2, bytes });
    const scales = Float32Array.from({ length: n }, () => (gain * (1.5 + noise())) / 127);
    floats(
      `${name}.scale`,
      n * blocks,
      (() => {
        let at = 0;
        return () => scales[Math.floor(at++ / blocks)]!;
      })(),
    );
  };
  const nibbles = (name: string, n: number, k: number) => {
    const bytes = Uint8Array.from({ length: (n * k) / 2 }, () => Math.floor(128 * (noise() + 1)));
    tensors.push({ name: `${name}.q4`, dims: [n, k / 2], type: 2, bytes });
    const blocks = Math.ceil(k / 128);
    // A row's first block has its largest scale, the others shares of it.
    let step = 0;
    let at = 0;
    floats(`${name}.scale`, n * blocks, () => {
      const first = at++ % blocks === 0;
      if (first) step = (1.5 + noise()) / 127;
      return step * (first ? 15 : 1 + Math.round(7 * (1 + noise())));
    });
  };
  const product = (name: string, n: number, k: number) => {
    codes(name, n, k, 1.8 / Math.sqrt(k));
    floats(`${name}.bias`, n, () => 0.1 * noise());
  };
  const norm = (name: string) => {
    // Channel 3 is an outlier, as one or two channels of trained encoders are.
    let at = 0;
    floats(`${name}.weight`, hidden, () => (at++ === 3 ? 2.5 : 1) * (1 + 0.2 * noise()));
    floats(`${name}.bias`, hidden, () => 0.1 * noise());
  };
  if (shape.embedding?.bits === 4) nibbles('embeddings.word', vocab, embedDims);
  else codes('embeddings.word', vocab, embedDims, 1);
  floats('embeddings.position', maxTokens * hidden, () => 0.2 * noise());
  if (shape.types !== undefined) floats('embeddings.type', shape.types * hidden, () => 0.3 * noise());
  norm('embeddings.norm');
  if (embedDims !== hidden) product('embeddings.projection', hidden, embedDims);
  for (let layer = 0; layer < layers; layer += 1) {
    product(`layer.${layer}.attention.qkv`, hidden * 3, hidden);
    product(`layer.${layer}.attention.output`, hidden, hidden);
    product(`layer.${layer}.ffn.up`, intermediate, hidden);
    product(`layer.${layer}.ffn.down`, hidden, intermediate);
    norm(`layer.${layer}.attention.norm`);
    norm(`layer.${layer}.ffn.norm`);
  }
  if (dims !== hidden) product('head', dims, hidden);
  return { weights: writeOnnx(tensors), manifest: { ...manifestOf(shape) } };
}

function manifestOf(shape: Shape): Manifest {
  return {
    schema: 1,
    id: 'random',
    task: 'embed',
    architecture: 'bert',
    layerNormEps: 1e-12,
    pooling: 'mean',
    files: [],
    ...shape,
  };
}
