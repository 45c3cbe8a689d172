// Owns reading named weights out of an ONNX file: a walk over the protobuf wire format that copies nothing.
// Refuses external data and typed arrays; our models keep everything in raw_data.
// Source: onnx.proto (ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto dims 1, data_type 2,
// name 8, raw_data 9) and the protobuf encoding guide.
import { NearfieldError } from '../../errors.ts';

/** One initialiser. `bytes` is a view into the file. */
export interface OnnxTensor {
  readonly dims: readonly number[];
  /** onnx.TensorProto.DataType: 1 float32, 2 uint8. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/**
 * Every initialiser of the graph, by name.
 * @throws model-load-failed when the bytes are no ONNX model
 */
export function readInitializers(file: Uint8Array): ReadonlyMap<string, OnnxTensor> {
  const tensors = new Map<string, OnnxTensor>();
  for (const model of fields(file)) {
    if (model.number !== 7 || model.bytes === undefined) continue;
    for (const graph of fields(model.bytes)) {
      if (graph.number !== 5 || graph.bytes === undefined) continue;
      const { name, ...tensor } = readTensor(graph.bytes);
      tensors.set(name, tensor);
    }
  }
  if (tensors.size === 0) throw broken('it has no weights');
  return tensors;
}

function readTensor(bytes: Uint8Array): OnnxTensor & { readonly name: string } {
  const dims: number[] = [];
  let type = 0;
  let name = '';
  let raw: Uint8Array = new Uint8Array(0);
  for (const field of fields(bytes)) {
    if (field.number === 1) dims.push(...(field.bytes === undefined ? [field.value] : packed(field.bytes)));
    else if (field.number === 2) type = field.value;
    else if (field.number === 8 && field.bytes !== undefined) name = new TextDecoder().decode(field.bytes);
    else if (field.number === 9 && field.bytes !== undefined) raw = field.bytes;
  }
  return { name, dims, type, bytes: raw };
}

function* packed(bytes: Uint8Array): Generator<number> {
  for (let at = 0; at < bytes.length; ) {
    const next = varint(bytes, at);
    yield next.value;
    at = next.end;
  }
}

interface Field {
  readonly number: number;
  /** Of a varint field; 0 for others. */
  readonly value: number;
  /** Of a length-delimited field. */
  readonly bytes: Uint8Array | undefined;
}

function* fields(bytes: Uint8Array): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const key = varint(bytes, at);
    const number = Math.floor(key.value / 8);
    const kind = key.value % 8;
    if (kind === VARINT) {
      const { value, end } = varint(bytes, key.end);
      yield { number, value, bytes: undefined };
      at = end;
    } else if (kind === LENGTH) {
      const length = varint(bytes, key.end);
      at = length.end + length.value;
      if (at > bytes.length) throw broken('a field runs past its end');
      yield { number, value: 0, bytes: bytes.subarray(length.end, at) };
    } else if (kind === FIXED64 || kind === FIXED32) {
      at = key.end + (kind === FIXED64 ? 8 : 4);
    } else {
      throw broken(`wire type ${kind} is not one of protobuf's`);
    }
  }
}

/** Exact up to 2^53; longer ones (negative numbers) appear in no field read here. */
function varint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let scale = 1, end = at; end < at + 10; scale *= 128, end += 1) {
    const byte = bytes[end];
    if (byte === undefined) throw broken('it ends inside a number');
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: end + 1 };
  }
  throw broken('a number is longer than ten bytes');
}

function broken(what: string): NearfieldError {
  return new NearfieldError(
    'model-load-failed',
    `Expected an ONNX model, but ${what}. Fetch the file again.`,
  );
}
