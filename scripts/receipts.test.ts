// The receipts command as a person runs it: exit code and words.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReceiptBook, exportReceipts } from 'nearfield/policy';
import { describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-receipts-'));
const script = new URL('./receipts.ts', import.meta.url).pathname;

function verify(name: string, text: string, ...more: string[]): { status: number | null; out: string } {
  const file = join(folder, name);
  writeFileSync(file, text);
  const node = new URL('../node_modules/.bin/node', import.meta.url).pathname;
  const argv = ['--conditions=nearfield-source', script, 'receipts', 'verify', file, ...more];
  const done = spawnSync(node, argv, { encoding: 'utf8' });
  return { status: done.status, out: done.stdout + done.stderr };
}

describe('nearfield receipts verify', () => {
  it('says OK, FAILED or that the file is no export', async () => {
    const book = createReceiptBook();
    for (const bytesOut of [0, 120, 30]) {
      await book.issue({
        requestId: `r${bytesOut}`,
        atMs: 1,
        tier: { id: 'edge', kind: 'edge' },
        rules: ['base'],
        redactedByType: {},
        bytesOut,
        hosts: bytesOut > 0 ? ['edge.example'] : [],
      });
    }
    const text = exportReceipts(await book.all());
    const good = verify('good.jsonl', text);
    expect(good).toMatchObject({ status: 0 });
    expect(good.out).toContain('OK: 3 receipts. 150 bytes out, to edge.example.');
    const forged = verify('forged.jsonl', text.replace('"bytesOut":120', '"bytesOut":0'));
    expect(forged).toMatchObject({ status: 1 });
    expect(forged.out).toContain('FAILED at receipt 2: its content does not match its hash.');
    const cut = text.split('\n').slice(0, 2).join('\n');
    const head = (await book.all()).at(-1)!.hash;
    expect(verify('cut.jsonl', cut, '--head', head).out).toContain('the chain ends before the head');
    expect(verify('no.jsonl', 'hello\n')).toEqual({ status: 2, out: 'Line 1 is not a receipt.\n' });
  });

  it('checks each tenant’s chain of an edge’s export, and notices the end of each', async () => {
    const book = createReceiptBook();
    for (const [at, chain] of ['acme', 'initech', 'acme', undefined].entries()) {
      await book.issue({
        ...(chain !== undefined && { chain }),
        requestId: `r${at}`,
        atMs: 1,
        tier: { id: 'device', kind: 'device' },
        rules: [],
        redactedByType: {},
        bytesOut: 0,
        hosts: [],
      });
    }
    const all = await book.all();
    const headOf = (name?: string) => all.findLast(({ chain }) => chain === name)!.hash;
    const heads = ['--head', headOf('acme'), '--head', headOf('initech')];
    const good = verify('tenants.jsonl', exportReceipts(all), ...heads);
    expect(good).toMatchObject({ status: 0 });
    expect(good.out).toContain('OK: 4 receipts in 3 chains.');
    expect(good.out).toContain(`acme: 2 receipts. Head: ${headOf('acme')}`);
    expect(good.out).toContain('Without a name: 1 receipts.');
    const cut = exportReceipts(all.filter(({ hash }) => hash !== headOf('acme')));
    expect(verify('short.jsonl', cut, ...heads)).toMatchObject({ status: 1 });
  });
});
