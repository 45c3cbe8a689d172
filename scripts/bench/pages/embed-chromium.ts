// Owns the contenders of `bench -- embed` in Chromium: a cross-origin isolated page, our rows in their worker,
// transformers.js on one WASM thread. WebGPU is measured only on a real GPU.
import { openTestPage } from '../../testing/chromium.ts';
import type { Contender, PeerModel, Place } from '../embed.ts';
import type { BenchPage } from './embed-page.ts';

declare global {
  var nearfieldBench: BenchPage;
}

const OURS = ['ort-webgpu', 'kernel-threads', 'kernel', 'ort-wasm'] as const;

export async function openChromiumContenders(peers: readonly PeerModel[]): Promise<Place> {
  const { page, url, close } = await openTestPage({ isolated: true, args: ['--enable-unsafe-webgpu'] });
  await page.addScriptTag({ type: 'module', url: '/scripts/bench/pages/embed-page.ts' });
  await page.waitForFunction(() => 'nearfieldBench' in globalThis);
  const notes: string[] = [
    'Chromium: one WASM thread each, kernel-threads excepted; transformers.js with the ONNX Runtime build without',
    'WebGPU, since its default build has no CPU kernel for GatherBlockQuantized and fails on our file.',
  ];
  const contenders: Contender[] = [];
  const add = (name: string, ours: boolean) =>
    contenders.push({
      name,
      ours,
      time: (texts) =>
        page.evaluate(({ name, texts }) => globalThis.nearfieldBench.time(name, texts), { name, texts }),
    });
  for (const backend of OURS) {
    const opened = await page.evaluate((id) => globalThis.nearfieldBench.openOurs(id), backend);
    if (opened === 'opened') add(backend, true);
    else notes.push(`Chromium ${backend}: ${opened}.`);
  }
  const root = new URL('../../../', import.meta.url).pathname;
  for (const peer of peers) {
    const name = `transformers.js ${peer.label}`;
    const path = new URL(peer.folder.replace(root, '/'), url).pathname;
    const opened = await page.evaluate((args) => globalThis.nearfieldBench.openPeer(args), {
      name,
      path,
      id: peer.id,
      dtype: peer.dtype,
    });
    if (opened === 'opened') add(name, false);
    else notes.push(`Chromium ${name}: ${opened.slice(0, 160)}.`);
  }
  return { contenders, notes, close };
}
