// Owns receipts: numbered, chained by SHA-256 over canonical JSON, exported as JSON Lines and verified
// from them. A lost store does not lose the answer: the chain goes on in memory and says so.
import { z } from 'zod';
import { NearfieldError } from '../errors.ts';
import { canonicalJson, sha256Hex } from '../hash.ts';
import type { Receipt, ReceiptBook } from '../types.ts';
import { SPAN_TYPES } from './document.ts';

/** Where receipts are kept. `append` refuses (throws) a sequence it already holds. */
export interface ReceiptStore {
  last(): Promise<Receipt | undefined>;
  append(receipt: Receipt): Promise<void>;
  all(): Promise<readonly Receipt[]>;
}

/** Thrown by a store whose chain has grown meanwhile, in another tab for one. */
export class SequenceTaken extends Error {
  override readonly name = 'SequenceTaken';
}

export interface DurableReceiptBook extends ReceiptBook {
  /** False once the store failed; later receipts are kept in memory only. */
  durable(): boolean;
}

export const FIRST_PREVIOUS: string = '0'.repeat(64);
const MAX_TRIES = 8;

export function createMemoryReceiptStore(): ReceiptStore {
  const kept: Receipt[] = [];
  return {
    last: async () => kept.at(-1),
    async append(receipt) {
      if ((kept.at(-1)?.sequence ?? 0) >= receipt.sequence) throw new SequenceTaken();
      kept.push(receipt);
    },
    all: async () => [...kept],
  };
}

/** A book over `store` (default: memory). Calls are serialised; the first receipt has sequence 1. */
export function createReceiptBook(options: { readonly store?: ReceiptStore } = {}): DurableReceiptBook {
  const memory = createMemoryReceiptStore();
  const store = options.store ?? memory;
  let durable = true;
  let queue: Promise<unknown> = Promise.resolve();
  let last: Receipt | undefined;

  const write = async (draft: Parameters<ReceiptBook['issue']>[0]): Promise<Receipt> => {
    for (let tries = 0; durable && tries < MAX_TRIES; tries += 1) {
      try {
        last = (await store.last()) ?? last;
        const receipt = await chain(draft, last);
        await store.append(receipt);
        last = receipt;
        return receipt;
      } catch (error) {
        if (!(error instanceof SequenceTaken)) durable = false;
      }
    }
    durable = false;
    last = await chain(draft, last);
    if (store !== memory) await memory.append(last);
    return last;
  };

  return {
    durable: () => durable,
    issue(draft) {
      const issued = queue.then(() => write(draft));
      queue = issued.catch(() => undefined);
      return issued;
    },
    async all() {
      await queue;
      const kept = await store.all().catch(() => []);
      return store === memory ? kept : [...kept, ...(await memory.all())];
    },
  };
}

async function chain(
  draft: Parameters<ReceiptBook['issue']>[0],
  last: Receipt | undefined,
): Promise<Receipt> {
  const body = {
    sequence: (last?.sequence ?? 0) + 1,
    requestId: draft.requestId,
    atMs: draft.atMs,
    tier: { id: draft.tier.id, kind: draft.tier.kind },
    rules: [...draft.rules],
    redactedByType: { ...draft.redactedByType },
    bytesOut: draft.bytesOut,
    hosts: [...draft.hosts],
    previous: last?.hash ?? FIRST_PREVIOUS,
  };
  return { ...body, hash: await sha256Hex(canonicalJson(body)) };
}

export type Verification =
  | { readonly ok: true; readonly count: number; readonly first: number; readonly head: string }
  | {
      readonly ok: false;
      /** Index of the first receipt that does not fit. */
      readonly index: number;
      readonly reason: 'hash' | 'previous' | 'sequence' | 'head';
    };

/**
 * Checks every hash and every link; `first` above 1 says that earlier receipts were left out. A chain cut at its end verifies by itself; give the last hash that
 * was seen (`head`) to notice that too.
 */
export async function verifyReceipts(
  receipts: readonly Receipt[],
  options: { readonly head?: string | undefined } = {},
): Promise<Verification> {
  let previous = receipts[0]?.sequence === 1 ? FIRST_PREVIOUS : receipts[0]?.previous;
  let sequence = receipts[0]?.sequence ?? 1;
  for (const [index, receipt] of receipts.entries()) {
    const { hash, ...body } = receipt;
    if (receipt.sequence !== sequence) return { ok: false, index, reason: 'sequence' };
    if (receipt.previous !== previous) return { ok: false, index, reason: 'previous' };
    if ((await sha256Hex(canonicalJson(body))) !== hash) return { ok: false, index, reason: 'hash' };
    previous = hash;
    sequence += 1;
  }
  const head = previous ?? FIRST_PREVIOUS;
  if (options.head !== undefined && options.head !== head) {
    return { ok: false, index: receipts.length, reason: 'head' };
  }
  return { ok: true, count: receipts.length, first: receipts[0]?.sequence ?? 1, head };
}

/** One receipt a line. */
export function exportReceipts(receipts: readonly Receipt[]): string {
  return receipts.map((receipt) => `${canonicalJson(receipt)}\n`).join('');
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const receiptSchema = z.strictObject({
  sequence: z.int().min(1),
  requestId: z.string(),
  atMs: z.number(),
  tier: z.strictObject({ id: z.string(), kind: z.enum(['device', 'edge', 'cloud']) }),
  rules: z.array(z.string()),
  redactedByType: z.record(
    z.string().refine((key) => SPAN_TYPES.has(key)),
    z.int().min(0),
  ),
  bytesOut: z.int().min(0),
  hosts: z.array(z.string()),
  previous: hash,
  hash,
});

/** The receipts of an export. @throws invalid-request naming the line that is not one. */
export function parseReceipts(jsonLines: string): readonly Receipt[] {
  const lines = jsonLines.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, at) => {
    const parsed = receiptSchema.safeParse(parseLine(line));
    if (!parsed.success) {
      throw new NearfieldError('invalid-request', `Line ${at + 1} is not a receipt.`, { param: `${at + 1}` });
    }
    return parsed.data as Receipt;
  });
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
