// Owns the contenders of `bench -- embed` in Node: our rows, transformers.js (which is native onnxruntime-node
// there) and onnxruntime-node raw, fed padded ids.
import { availableParallelism } from 'node:os';
import { env, type FeatureExtractionPipeline, pipeline } from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createNodeEmbedder, loadNodeModel, nodeBackends } from '../../../runtime/engine/node.ts';
import { createTokenizer } from '../../../runtime/engine/tokenizer.ts';
import type { Contender, PeerModel, Place } from '../embed.ts';

export async function openNodeContenders(peers: readonly PeerModel[]): Promise<Place> {
  const closers: (() => Promise<unknown>)[] = [];
  const contenders: Contender[] = [];
  for (const row of nodeBackends) {
    if (!(await row.available())) continue;
    const embedder = await createNodeEmbedder({ backends: [row], contenders: 1 });
    closers.push(() => embedder.dispose());
    contenders.push({ name: row.id, ours: true, time: (texts) => timed(() => embedder.embed(texts)) });
  }
  for (const peer of peers) {
    const extract = await openTransformers(peer);
    closers.push(() => extract.dispose());
    contenders.push({
      name: `transformers.js ${peer.label} (native)`,
      ours: false,
      time: (texts) => timed(() => extract([...texts], { pooling: 'mean', normalize: true })),
    });
    contenders.push(await openRaw(peer));
  }
  return {
    contenders,
    notes: [`Node: ${availableParallelism()} threads for kernel-threads and for onnxruntime-node.`],
    async close() {
      for (const close of closers) await close();
    },
  };
}

async function openTransformers(peer: PeerModel): Promise<FeatureExtractionPipeline> {
  env.allowRemoteModels = false;
  env.localModelPath = peer.folder;
  return await pipeline('feature-extraction', peer.id, { dtype: peer.dtype });
}

/** The native library alone: the near-limit. Tokenising is ours, as it is in every case. */
async function openRaw(peer: PeerModel): Promise<Contender> {
  const file = peer.dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx';
  const session = await InferenceSession.create(`${peer.folder}${peer.id}/onnx/${file}`, {
    intraOpNumThreads: availableParallelism(),
  });
  const model = await loadNodeModel();
  const tokenizer = createTokenizer(model.file('tokenizer'), model.manifest.maxTokens);
  const run = async (texts: readonly string[]): Promise<void> => {
    const rows = texts.map((text) => tokenizer.encode(text));
    const dims = [rows.length, Math.max(...rows.map((row) => row.length))] as const;
    const ids = BigInt64Array.from(
      rows.flatMap((row) => Array.from({ length: dims[1] }, (_, at) => BigInt(row[at] ?? 0))),
    );
    const all: Record<string, () => Tensor> = {
      input_ids: () => new Tensor('int64', ids, dims),
      attention_mask: () =>
        new Tensor(
          'int64',
          ids.map((id) => (id === 0n ? 0n : 1n)),
          dims,
        ),
      token_type_ids: () => new Tensor('int64', new BigInt64Array(ids.length), dims),
    };
    await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]!()])));
  };
  return {
    name: `onnxruntime-node ${peer.label} (native)`,
    ours: false,
    time: (texts) => timed(() => run(texts)),
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
