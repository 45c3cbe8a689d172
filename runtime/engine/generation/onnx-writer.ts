// Owns writing an ONNX model as protobuf: nodes, attributes, small initialisers inline, large ones as names
// of external data. Only what a decoder's graph needs. Field numbers: onnx.proto3, IR version 10.

export const FLOAT = 1;
export const UINT8 = 2;
export const INT32 = 6;
export const INT64 = 7;

export interface OnnxValue {
  readonly name: string;
  readonly type: number;
  /** A string is a dimension known at run time. */
  readonly shape: readonly (number | string)[];
}

export type OnnxAttribute = number | { readonly float: number } | readonly number[];

export interface OnnxInitializer {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  /** Little-endian bytes, row-major. */
  readonly data: Uint8Array;
}

/** Initialisers up to this many bytes lie in the graph; ONNX Runtime wants shapes and constants there. */
const INLINE_BYTES = 1024;

/** Collects a graph; `finish` gives the model's bytes and the data that lies outside it. */
export class OnnxGraph {
  readonly #nodes: Uint8Array[] = [];
  readonly #initializers = new Map<string, OnnxInitializer>();

  /** Adds a node with one output that is used, named `output`; further names give further outputs. */
  add(
    op: string,
    inputs: readonly string[],
    output: string | readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = '',
  ): string {
    const outputs = typeof output === 'string' ? [output] : output;
    this.#nodes.push(
      join([
        ...inputs.map((name) => text(1, name)),
        ...outputs.map((name) => text(2, name)),
        text(3, outputs.find((name) => name !== '') ?? op),
        text(4, op),
        ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
        text(7, domain),
      ]),
    );
    return outputs[0]!;
  }

  constant(initializer: OnnxInitializer): string {
    this.#initializers.set(initializer.name, initializer);
    return initializer.name;
  }

  finish(
    inputs: readonly OnnxValue[],
    outputs: readonly OnnxValue[],
  ): { readonly model: Uint8Array; readonly external: readonly { path: string; data: Uint8Array }[] } {
    const initializers = [...this.#initializers.values()];
    const graph = join([
      ...this.#nodes.map((node) => bytes(1, node)),
      text(2, 'decoder'),
      ...initializers.map((entry) => bytes(5, tensor(entry))),
      ...inputs.map((value) => bytes(11, valueInfo(value))),
      ...outputs.map((value) => bytes(12, valueInfo(value))),
    ]);
    const opset = (domain: string, version: number) => bytes(8, join([text(1, domain), integer(2, version)]));
    const model = join([integer(1, 10), opset('', 21), opset('com.microsoft', 1), bytes(7, graph)]);
    const external = initializers
      .filter((entry) => entry.data.length > INLINE_BYTES)
      .map(({ name, data }) => ({ path: name, data }));
    return { model, external };
  }
}

function attribute(name: string, value: OnnxAttribute): Uint8Array {
  if (typeof value === 'number') return join([text(1, name), integer(3, value), integer(20, 2)]);
  if ('float' in value) return join([text(1, name), float(2, value.float), integer(20, 1)]);
  return join([text(1, name), ...value.map((item) => integer(8, item)), integer(20, 7)]);
}

function tensor({ name, type, shape, data }: OnnxInitializer): Uint8Array {
  const head = [...shape.map((size) => integer(1, size)), integer(2, type), text(8, name)];
  if (data.length <= INLINE_BYTES) return join([...head, bytes(9, data)]);
  const entry = (key: string, value: string) => bytes(13, join([text(1, key), text(2, value)]));
  const where = [entry('location', name), entry('offset', '0'), entry('length', String(data.length))];
  return join([...head, ...where, integer(14, 1)]);
}

function valueInfo({ name, type, shape }: OnnxValue): Uint8Array {
  const dimensions = shape.map((size) =>
    bytes(1, typeof size === 'string' ? text(2, size) : integer(1, size)),
  );
  const tensorType = join([integer(1, type), bytes(2, join(dimensions))]);
  return join([text(1, name), bytes(2, bytes(1, tensorType))]);
}

// ---------------------------------------------------------------- protobuf wire format

const encoder: TextEncoder = new TextEncoder();

function text(field: number, value: string): Uint8Array {
  return bytes(field, encoder.encode(value));
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return join([varint((field << 3) | 2), varint(value.length), value]);
}

function integer(field: number, value: number): Uint8Array {
  return join([varint(field << 3), varint(value)]);
}

function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = (field << 3) | 5;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}

/** Base 128, low group first; negative numbers as 64-bit two's complement. */
function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(out);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
