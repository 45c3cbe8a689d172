// Takes named tensors out of a model's file, and says what is wrong where one is missing or of another size.
import { NearfieldError } from '../../errors.ts';
import type { OnnxTensor } from './onnx.ts';

export type Tensors = ReadonlyMap<string, OnnxTensor>;

/** Rows of k codes one after another; in the file a row may be padded to whole blocks. */
export function stage(tensors: Tensors, name: string, rows: number, k: number, target: Uint8Array): void {
  const { bytes } = named(tensors, name);
  const stride = bytes.byteLength / rows;
  if (!Number.isInteger(stride) || stride < k)
    throw wrongSize(name, `${rows} rows of ${k}`, bytes.byteLength);
  if (stride === k) {
    target.set(bytes);
    return;
  }
  for (let row = 0; row < rows; row += 1) target.set(bytes.subarray(row * stride, row * stride + k), row * k);
}

/** A scale a row is repeated for each block of the row; the first is enough. */
export function firstColumn(
  tensors: Tensors,
  name: string,
  rows: number,
  view: DataView,
  address: number,
): void {
  const { bytes } = named(tensors, name);
  const stride = bytes.byteLength / rows;
  if (!Number.isInteger(stride) || stride % 4 !== 0) throw wrongSize(name, `${rows} rows`, bytes.byteLength);
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let row = 0; row < rows; row += 1) {
    view.setUint32(address + row * 4, source.getUint32(row * stride, true), true);
  }
}

export function tensor(tensors: Tensors, name: string, length: number): Uint8Array {
  const { bytes } = named(tensors, name);
  if (bytes.byteLength !== length) throw wrongSize(name, `${length} bytes`, bytes.byteLength);
  return bytes;
}

export function named(tensors: Tensors, name: string): OnnxTensor {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  const text = `Expected weights named ${name} in the model, found none. models/README.md lists the names.`;
  throw new NearfieldError('model-unsupported', text);
}

export function wrongSize(name: string, expected: string, came: number): NearfieldError {
  const text = `Expected ${name} to hold ${expected}, it holds ${came} bytes. Do manifest and weights belong together?`;
  return new NearfieldError('model-load-failed', text);
}
