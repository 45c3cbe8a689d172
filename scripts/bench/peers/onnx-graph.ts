// Writes the small ONNX graphs that the layer bench gives its peers: a chain of matrix products, fp32 or
// dynamically quantised. Source: onnx.proto field numbers.

export type GraphKind = 'fp32' | 'int8';

export interface Layer {
  readonly k: number;
  readonly n: number;
}

const FLOAT = 1;
const INT8 = 3;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

const number = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8), ...varint(value)]);

function block(field: number, parts: readonly Uint8Array[] | Uint8Array): Uint8Array {
  const body = parts instanceof Uint8Array ? parts : join(parts);
  return join([varint(field * 8 + 2), varint(body.length), body]);
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

function tensor(name: string, type: number, dims: readonly number[], bytes: Uint8Array): Uint8Array {
  const shape = dims.map((dim) => number(1, dim));
  return block(5, [...shape, number(2, type), block(8, text(name)), block(9, bytes)]);
}

function node(op: string, inputs: readonly string[], outputs: readonly string[]): Uint8Array {
  const names = [
    ...inputs.map((name) => block(1, text(name))),
    ...outputs.map((name) => block(2, text(name))),
  ];
  return block(1, [...names, block(4, text(op))]);
}

function port(field: number, name: string, columns: number): Uint8Array {
  const dims = [block(1, block(2, text('rows'))), block(1, number(1, columns))];
  const type = block(1, [number(1, FLOAT), block(2, dims)]);
  return block(field, [block(1, text(name)), block(2, type)]);
}

/** y = x @ w0 @ w1 … with random weights: `x` float [rows, k of the first], `y` float [rows, n of the last]. */
export function chainGraph(kind: GraphKind, layers: readonly Layer[], noise: () => number): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 'x';
  layers.forEach(({ k, n }, at) => {
    const to = at === layers.length - 1 ? 'y' : `x${at + 1}`;
    parts.push(
      ...(kind === 'fp32' ? floatLayer(at, k, n, from, to, noise) : byteLayer(at, k, n, from, to, noise)),
    );
    from = to;
  });
  const ports = [port(11, 'x', layers[0]!.k), port(12, 'y', layers.at(-1)!.n)];
  const graph = block(7, [...parts, block(2, text('layers')), ...ports]);
  const opset = block(8, [block(1, new Uint8Array(0)), number(2, 17)]);
  return join([number(1, 9), graph, opset]);
}

function floatLayer(
  at: number,
  k: number,
  n: number,
  from: string,
  to: string,
  noise: () => number,
): Uint8Array[] {
  const weights = Float32Array.from({ length: k * n }, () => noise() / Math.sqrt(k));
  return [
    node('MatMul', [from, `w${at}`], [to]),
    tensor(`w${at}`, FLOAT, [k, n], new Uint8Array(weights.buffer)),
  ];
}

/** What dynamic quantisation of a Linear exports: DynamicQuantizeLinear, MatMulInteger, Cast, Mul. */
function byteLayer(
  at: number,
  k: number,
  n: number,
  from: string,
  to: string,
  noise: () => number,
): Uint8Array[] {
  const weights = Int8Array.from({ length: k * n }, () => Math.round(127 * noise() ** 3));
  const scale = new Uint8Array(Float32Array.of(1 / (30 * Math.sqrt(k))).buffer);
  const cast = block(1, [
    ...[block(1, text(`sums${at}`)), block(2, text(`floats${at}`)), block(4, text('Cast'))],
    block(5, [block(1, text('to')), number(3, FLOAT), number(20, 2)]),
  ]);
  return [
    node('DynamicQuantizeLinear', [from], [`q${at}`, `qs${at}`, `qz${at}`]),
    node('MatMulInteger', [`q${at}`, `w${at}`, `qz${at}`, `wz${at}`], [`sums${at}`]),
    cast,
    node('Mul', [`qs${at}`, `ws${at}`], [`scale${at}`]),
    node('Mul', [`floats${at}`, `scale${at}`], [to]),
    tensor(`w${at}`, INT8, [k, n], new Uint8Array(weights.buffer)),
    tensor(`wz${at}`, INT8, [], Uint8Array.of(0)),
    tensor(`ws${at}`, FLOAT, [], scale),
  ];
}
