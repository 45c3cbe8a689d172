// Owns weighing what a host loads to embed: script and WASM, raw and gzipped, the kernel beside ONNX Runtime;
// the model's files apart, since both read the same.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, printBench } from '../report.ts';
import { bundleWorker } from '../testing/workerd.ts';

const ENTRIES: Readonly<Record<string, string>> = Object.freeze({
  'kernel alone': 'size-kernel',
  'embedder on the kernel': 'size-embedder-kernel',
  'embedder on ONNX Runtime': 'size-embedder-ort',
});

const MODEL = new URL('../../models/all-minilm-l6-v2/', import.meta.url);

export const command: ScriptCommand = {
  summary: 'script and WASM of an embedder in kB, raw and gzipped; weights apart',
  configure(bench) {
    bench.action(async (options: { json?: boolean }) => {
      const cases: BenchCase[] = [];
      const gzipped = new Map<string, number>();
      for (const [name, entry] of Object.entries(ENTRIES)) {
        const { script, wasm } = await weigh(entry);
        gzipped.set(name, script.gzip + wasm.gzip);
        cases.push(one(`${name}, script`, script.raw), one(`${name}, script gz`, script.gzip));
        cases.push(one(`${name}, wasm`, wasm.raw), one(`${name}, wasm gz`, wasm.gzip));
        cases.push(one(`${name}, together gz`, script.gzip + wasm.gzip));
      }
      for (const file of ['onnx/model.onnx', 'tokenizer.json']) {
        const bytes = await readFile(new URL(file, MODEL));
        cases.push(one(`${file}`, bytes.byteLength), one(`${file} gz`, gzipSync(bytes).byteLength));
      }
      const ratio = gzipped.get('embedder on ONNX Runtime')! / gzipped.get('embedder on the kernel')!;
      const notes = [
        'kB are 1000 bytes. The model is one file for every backend and is not in the sums above it.',
      ];
      printBench(
        { name: 'size', cases, ratios: { 'ONNX Runtime over kernel, gz': ratio }, notes },
        options.json === true,
      );
    });
  },
};

const one = (name: string, bytes: number): BenchCase => ({ case: name, unit: 'kB', samples: [bytes / 1000] });

interface Weight {
  readonly raw: number;
  readonly gzip: number;
}

async function weigh(entry: string): Promise<{ readonly script: Weight; readonly wasm: Weight }> {
  const modules = await bundleWorker({
    entry: new URL(`./workers/${entry}.ts`, import.meta.url),
    minify: true,
  });
  const sum = (kind: 'ESModule' | 'CompiledWasm'): Weight =>
    modules
      .filter(({ type }) => type === kind)
      .reduce(
        (total, { contents }) => ({
          raw: total.raw + contents.byteLength,
          gzip: total.gzip + gzipSync(contents, { level: 9 }).byteLength,
        }),
        { raw: 0, gzip: 0 },
      );
  return { script: sum('ESModule'), wasm: sum('CompiledWasm') };
}
