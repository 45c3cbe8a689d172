#!/usr/bin/env node
// The command `nearfield receipts verify FILE`: an auditor's check of exported receipts, with no network
// and no state. Exits 0 when the chain holds, 1 when it does not, 2 when the file is no export.
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { parseReceipts, type Verification, verifyReceipts } from 'nearfield/policy';

const REASONS: Readonly<Record<Extract<Verification, { ok: false }>['reason'], string>> = {
  hash: 'its content does not match its hash',
  previous: 'it does not follow the receipt before it',
  sequence: 'its number is not the next one',
  head: 'the chain ends before the head that was given',
};

interface VerifyOptions {
  readonly head?: readonly string[];
  readonly json?: boolean;
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const text = file === '-' ? await readInput() : await readFile(file, 'utf8');
  const receipts = parseReceipts(text);
  const result = await verifyReceipts(receipts, { head: options.head });
  const bytesOut = receipts.reduce((sum, receipt) => sum + receipt.bytesOut, 0);
  const hosts = [...new Set(receipts.flatMap((receipt) => receipt.hosts))].sort();
  if (options.json) console.log(JSON.stringify({ ...result, bytesOut, hosts }));
  else console.log(describe(result, bytesOut, hosts));
  process.exitCode = result.ok ? 0 : 1;
}

function describe(result: Verification, bytesOut: number, hosts: readonly string[]): string {
  if (!result.ok) return `FAILED at receipt ${result.index + 1}: ${REASONS[result.reason]}.`;
  const where = hosts.length === 0 ? 'no host' : hosts.join(', ');
  const sent = `${bytesOut} bytes out, to ${where}.`;
  if (result.chains === undefined) {
    return `OK: ${result.count} receipts${fromOf(result)}. ${sent}\nHead: ${result.head}`;
  }
  const chains = result.chains.map(
    (one) => `${one.chain ?? 'Without a name'}: ${one.count} receipts${fromOf(one)}. Head: ${one.head}`,
  );
  return [`OK: ${result.count} receipts in ${chains.length} chains. ${sent}`, ...chains].join('\n');
}

function fromOf({ first }: { readonly first: number }): string {
  return first === 1 ? '' : ` from number ${first} on; earlier ones are not in this file`;
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

const program = new Command('nearfield');
program
  .command('receipts')
  .description('receipts: what each request sent, chained by hash')
  .command('verify')
  .description('check an export (JSON Lines; - reads standard input)')
  .argument('<file>')
  .option(
    '--head <hash>',
    'hash of the last receipt seen, to notice a cut end; once for each of several chains',
    (hash: string, before: readonly string[] = []) => [...before, hash],
  )
  .option('--json', 'print one JSON object')
  .action(async (file: string, options: VerifyOptions) => {
    try {
      await verify(file, options);
    } catch (error) {
      console.error(error instanceof Error ? error.message : String(error));
      process.exitCode = 2;
    }
  });
await program.parseAsync();
