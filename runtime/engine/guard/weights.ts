// Owns how the guard's file is read: names and shapes of its initialisers, as graph of models/README.md has them.
import { NearfieldError } from '../../errors.ts';
import { type OnnxTensor, readInitializers } from '../kernel/onnx.ts';
import type { GuardWeights, Linear } from './network.ts';

const FLOAT32 = 1;
const UINT8 = 2;
/** Stored bytes are value + 128. */
const ZERO_POINT = 128;

/** @throws model-load-failed naming the first weight that is missing or of another shape */
export function readGuardWeights(file: Uint8Array): GuardWeights {
  const tensors = readInitializers(file);

  function tensor(name: string, type: number, rank: number): OnnxTensor {
    const found = tensors.get(name);
    if (found === undefined || found.type !== type || found.dims.length !== rank) {
      throw new NearfieldError(
        'model-load-failed',
        `The guard's weight ${name} is missing or of another kind.`,
      );
    }
    return found;
  }

  function floats(name: string): Float32Array {
    const { bytes } = tensor(name, FLOAT32, 1);
    // A copy: the view may lie at any byte of the file.
    return new Float32Array(bytes.slice().buffer);
  }

  function integers(name: string): {
    readonly values: Int8Array;
    readonly rows: number;
    readonly columns: number;
  } {
    const { bytes, dims } = tensor(name, UINT8, 2);
    const [rows = 0, columns = 0] = dims;
    if (bytes.length !== rows * columns)
      throw new NearfieldError('model-load-failed', `${name} is cut short.`);
    return { values: Int8Array.from(bytes, (byte) => byte - ZERO_POINT), rows, columns };
  }

  function linear(name: string, hasBias: boolean): Linear {
    const { values, rows, columns } = integers(`${name}.q8`);
    const scales = floats(`${name}.scale`);
    const weight = Float32Array.from(values, (value, at) => value * scales[Math.floor(at / columns)]!);
    const bias = hasBias ? floats(`${name}.bias`) : undefined;
    return { weight, bias, inputs: columns, outputs: rows };
  }

  const words = integers('word.q8');
  return {
    words: words.values,
    wordScales: floats('word.scale'),
    dims: words.columns,
    enter: linear('enter', true),
    context: linear('context', true),
    normWeight: floats('norm.weight'),
    normBias: floats('norm.bias'),
    align: linear('align', false),
    sharpness: floats('sharpness'),
    compare: linear('compare', true),
    compareAgain: linear('compare_again', true),
    decide: linear('decide', true),
    logit: linear('logit', true),
  };
}
