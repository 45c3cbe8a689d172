// Brings the word table into linear memory: INT8 rows with one scale each, whatever the file holds.
import { NearfieldError } from '../../errors.ts';
import { firstColumn, named, stage, type Tensors, wrongSize } from './tensors.ts';

const BLOCK = 128;
/** A block's scale is its row's largest times 1/15…15/15, so a code of -8…7 times the share fits a signed byte. */
const STEPS = 15;

/** How far a stored scale may lie from n/15 of its row's largest: float32 is far closer. */
const TOLERANCE = 1e-3;

/** @throws model-unsupported, model-load-failed */
export function fillWords(
  tensors: Tensors,
  vocab: number,
  dims: number,
  memory: WebAssembly.Memory,
  { words, wordScales }: { readonly words: number; readonly wordScales: number },
): void {
  const bytes = new Uint8Array(memory.buffer, words, vocab * dims);
  if (!tensors.has('embeddings.word.q4')) {
    stage(tensors, 'embeddings.word.q8', vocab, dims, bytes);
    firstColumn(tensors, 'embeddings.word.scale', vocab, new DataView(memory.buffer), wordScales);
    return;
  }
  const codes = named(tensors, 'embeddings.word.q4').bytes;
  if (codes.byteLength * 2 !== bytes.byteLength)
    throw wrongSize('embeddings.word.q4', `${vocab} rows of ${dims} half bytes`, codes.byteLength);
  const scales = floatsOf(tensors, 'embeddings.word.scale', vocab * Math.ceil(dims / BLOCK));
  expandNibbles(codes, scales, dims, bytes, new Float32Array(memory.buffer, wordScales, vocab));
}

/**
 * INT4 blocks to INT8 rows of one scale, exactly (models/README.md, embeddings.word.q4).
 * @param codes two a byte, the earlier number in the low half, zero at 8
 * @param scales a block of 128 numbers each, row by row
 * @param rows filled with integer + 128
 */
function expandNibbles(
  codes: Uint8Array,
  scales: Float32Array,
  dims: number,
  rows: Uint8Array,
  rowScales: Float32Array,
): void {
  const blocks = Math.ceil(dims / BLOCK);
  for (let row = 0; row < rowScales.length; row += 1) {
    const shares = scales.subarray(row * blocks, (row + 1) * blocks);
    const step = Math.max(...shares) / STEPS;
    rowScales[row] = step;
    for (let block = 0; block < blocks; block += 1) {
      const share = shareOf(shares[block]!, step, row);
      const end = Math.min(dims, (block + 1) * BLOCK);
      for (let column = block * BLOCK; column < end; column += 2) {
        const at = row * dims + column;
        const pair = codes[at >> 1]!;
        rows[at] = 128 + ((pair & 15) - 8) * share;
        rows[at + 1] = 128 + ((pair >> 4) - 8) * share;
      }
    }
  }
}

/** A row of zeros may have scales of zero. */
function shareOf(scale: number, step: number, row: number): number {
  if (step === 0) return 0;
  const share = Math.round(scale / step);
  if (share >= 1 && Math.abs(scale / step - share) <= TOLERANCE) return share;
  throw new NearfieldError(
    'model-unsupported',
    `Expected scales of embeddings.word.q4 to be 1/15 to 15/15 of their row's largest, row ${row} has ${scale} of ${step * STEPS}. models/README.md has the rule.`,
  );
}

function floatsOf(tensors: Tensors, name: string, length: number): Float32Array {
  const { bytes } = named(tensors, name);
  if (bytes.byteLength !== length * 4) throw wrongSize(name, `${length} numbers`, bytes.byteLength);
  // A copy: tensors begin anywhere in the file.
  return new Float32Array(bytes.slice().buffer);
}
