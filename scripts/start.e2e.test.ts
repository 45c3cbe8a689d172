// README's first command, as a process of its own: with and without the emulated cloud it must get ready.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';

const START = fileURLToPath(new URL('./start.ts', import.meta.url));
let running: ChildProcess | undefined;

afterEach(async () => {
  if (running === undefined || running.exitCode !== null) return;
  running.kill('SIGTERM');
  await once(running, 'exit');
});

/** Everything printed up to "Ready" or the end. */
async function start(...flags: readonly string[]): Promise<string> {
  const args = ['--conditions=nearfield-source', START, '--port', '0', '--no-build', ...flags];
  const child = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  running = child;
  let printed = '';
  return await new Promise((resolve) => {
    const hear = (bytes: Buffer): void => {
      printed += bytes.toString();
      if (printed.includes('Ctrl+C')) resolve(printed);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', () => resolve(printed));
  });
}

for (const flags of [[], ['--emulate-cloud']]) {
  it(`answers on the device and serves: npm start ${flags.join(' ')}`, async () => {
    const printed = await start(...flags);
    expect(printed).toContain('You may drive again when you can stop the car');
    expect(printed).toContain('egress     0 bytes');
    expect(printed).toMatch(/generated on this device|To add one: npm run models -- build smollm2/);
    expect(printed).toMatch(/Ready after \d/);
    expect(printed).toMatch(flags.length === 0 ? /Cloud +none/ : /Cloud +emulated AWS Bedrock/);
    const url = /Edge worker +(\S+)/.exec(printed)![1]!;
    const models = (await (await fetch(`${url}/models`)).json()) as { data: { id: string }[] };
    expect(models.data.map((model) => model.id)).toContain('all-minilm-l6-v2');
  });
}
