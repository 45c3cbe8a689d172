// Owns the table of rotary angles: cosines and sines of every position, as the kernel reads them.
import type { DecoderShape } from '../../models.ts';

/**
 * Radians a position turns each pair of dimensions, [headDims / 2].
 * Source: Su et al. 2021 (RoFormer) for theta^(-2i/d); `linear` and `llama3` scaling as Hugging Face transformers has them.
 */
export function rotaryFrequencies({ headDims, rope }: Pick<DecoderShape, 'headDims' | 'rope'>): Float64Array {
  const plain = Float64Array.from({ length: headDims / 2 }, (_, i) => rope.theta ** ((-2 * i) / headDims));
  const { scaling } = rope;
  if (scaling === undefined) return plain;
  if (scaling.type === 'linear') return plain.map((frequency) => frequency / scaling.factor);
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling;
  return plain.map((frequency) => {
    const turns = (originalContext * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const smooth = (turns - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Writes f32 [positions][headDims]: half cosines, half sines. */
export function writeRotary(
  target: Float32Array,
  shape: Pick<DecoderShape, 'headDims' | 'rope'>,
  positions: number,
): void {
  const frequencies = rotaryFrequencies(shape);
  const half = frequencies.length;
  for (let position = 0; position < positions; position += 1) {
    const row = position * half * 2;
    for (let i = 0; i < half; i += 1) {
      const angle = position * frequencies[i]!;
      target[row + i] = Math.cos(angle);
      target[row + half + i] = Math.sin(angle);
    }
  }
}
