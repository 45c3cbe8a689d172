// Owns receipts: numbered, chained by SHA-256 over canonical JSON, a chain each tenant where a host has several, exported as
// JSON Lines and verified from them. A lost store does not lose the answer: the chain goes on in memory and says so.
import { z } from 'zod';
import { NearfieldError } from '../errors.ts';
import { canonicalJson, sha256Hex } from '../hash.ts';
import type { Receipt, ReceiptBook } from '../types.ts';
import { SPAN_TYPES } from './document.ts';

/** Where receipts are kept. `append` refuses (throws) a sequence that its chain already holds. */
export interface ReceiptStore {
  last(chain?: string): Promise<Receipt | undefined>;
  append(receipt: Receipt): Promise<void>;
  /** Of every chain, each in order. */
  all(): Promise<readonly Receipt[]>;
}

/** Thrown by a store whose chain has grown meanwhile, in another tab for one. */
export class SequenceTaken extends Error {
  override readonly name = 'SequenceTaken';
}

export interface DurableReceiptBook extends ReceiptBook {
  /** False once the store failed a chain; that chain's later receipts are kept in memory only. */
  durable(): boolean;
}

export const FIRST_PREVIOUS: string = '0'.repeat(64);
const MAX_TRIES = 8;
/** Receipts that a failing store leaves in memory; the newest of them. */
const MOST_IN_PLACE_OF_STORE = 10_000;

/** Of `capacity`, the newest are kept, and where each chain goes on is never forgotten. Default: all of them. */
export function createMemoryReceiptStore(capacity: number = Number.POSITIVE_INFINITY): ReceiptStore {
  const heads = new Map<string | undefined, Receipt>();
  const kept: Receipt[] = [];
  return {
    last: async (chain) => heads.get(chain),
    async append(receipt) {
      if ((heads.get(receipt.chain)?.sequence ?? 0) >= receipt.sequence) throw new SequenceTaken();
      heads.set(receipt.chain, receipt);
      kept.push(receipt);
      if (kept.length > capacity) kept.shift();
    },
    all: async () => [...kept],
  };
}

/**
 * A book over `store` (default: memory). Calls are serialised a chain, so that nobody waits for another's receipt; a chain's
 * first receipt has sequence 1.
 */
export function createReceiptBook(options: { readonly store?: ReceiptStore } = {}): DurableReceiptBook {
  const memory = createMemoryReceiptStore(
    options.store === undefined ? Number.POSITIVE_INFINITY : MOST_IN_PLACE_OF_STORE,
  );
  const store = options.store ?? memory;
  /** Chains that the store failed. Each by itself: one that is contended for must not cost the others their store. */
  const lost = new Set<string | undefined>();
  const queues = new Map<string | undefined, Promise<unknown>>();
  const heads = new Map<string | undefined, Receipt>();

  const write = async (draft: Parameters<ReceiptBook['issue']>[0]): Promise<Receipt> => {
    const { chain } = draft;
    for (let tries = 0; !lost.has(chain) && tries < MAX_TRIES; tries += 1) {
      try {
        const last = await store.last(chain);
        // Kept even where the next step fails: in memory the chain goes on where it stands, and does not begin anew.
        if (last !== undefined) heads.set(chain, last);
        const receipt = await link(draft, heads.get(chain));
        await store.append(receipt);
        heads.set(chain, receipt);
        return receipt;
      } catch (error) {
        if (!(error instanceof SequenceTaken)) break;
      }
    }
    lost.add(chain);
    const receipt = await link(draft, heads.get(chain));
    heads.set(chain, receipt);
    if (store !== memory) await memory.append(receipt);
    return receipt;
  };

  return {
    durable: () => lost.size === 0,
    issue(draft) {
      const queue = queues.get(draft.chain) ?? Promise.resolve();
      const issued = queue.then(() => write(draft));
      queues.set(
        draft.chain,
        issued.catch(() => undefined),
      );
      return issued;
    },
    async all() {
      await Promise.all(queues.values());
      const kept = await store.all().catch(() => []);
      return store === memory ? kept : [...kept, ...(await memory.all())];
    },
  };
}

async function link(draft: Parameters<ReceiptBook['issue']>[0], last: Receipt | undefined): Promise<Receipt> {
  const body = {
    ...(draft.chain !== undefined && { chain: draft.chain }),
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

export interface VerifiedChain {
  /** Absent where a host keeps one chain for all. */
  readonly chain?: string | undefined;
  readonly count: number;
  /** Sequence of the first that is here. */
  readonly first: number;
  /** Hash of the last. */
  readonly head: string;
}

export type Verification =
  | {
      readonly ok: true;
      /** Of all chains. */
      readonly count: number;
      /** Of the chain that the last receipt is in, as is `head`. */
      readonly first: number;
      readonly head: string;
      /** Each of them, where chains have names. */
      readonly chains?: readonly VerifiedChain[];
    }
  | {
      readonly ok: false;
      /** Index of the first receipt that does not fit. */
      readonly index: number;
      readonly reason: 'hash' | 'previous' | 'sequence' | 'head';
    };

/**
 * Checks every hash and every link, each chain by itself; `first` above 1 says that earlier receipts were left out. A chain
 * cut at its end verifies by itself; give the last hash that was seen (`head`, of several chains one each) to notice that too.
 */
export async function verifyReceipts(
  receipts: readonly Receipt[],
  options: { readonly head?: string | readonly string[] | undefined } = {},
): Promise<Verification> {
  const chains = new Map<string | undefined, VerifiedChain>();
  for (const [index, receipt] of receipts.entries()) {
    const known = chains.get(receipt.chain) ?? before(receipt);
    const reason = await wrongWith(receipt, known);
    if (reason !== undefined) return { ok: false, index, reason };
    chains.set(receipt.chain, { ...known, count: known.count + 1, head: receipt.hash });
  }
  const all = [...chains.values()];
  const { first, head } = chains.get(receipts.at(-1)?.chain) ?? { first: 1, head: FIRST_PREVIOUS };
  const heads = new Set([...all.map((one) => one.head), head]);
  if ([options.head ?? []].flat().some((wanted) => !heads.has(wanted))) {
    return { ok: false, index: receipts.length, reason: 'head' };
  }
  const named = all.some(({ chain }) => chain !== undefined);
  return { ok: true, count: receipts.length, first, head, ...(named && { chains: all }) };
}

/** A chain before the first of it that is here. */
function before({ chain, sequence, previous }: Receipt): VerifiedChain {
  const head = sequence === 1 ? FIRST_PREVIOUS : previous;
  return { ...(chain !== undefined && { chain }), count: 0, first: sequence, head };
}

async function wrongWith(
  receipt: Receipt,
  { first, count, head }: VerifiedChain,
): Promise<'sequence' | 'previous' | 'hash' | undefined> {
  const { hash, ...body } = receipt;
  if (receipt.sequence !== first + count) return 'sequence';
  if (receipt.previous !== head) return 'previous';
  return (await sha256Hex(canonicalJson(body))) === hash ? undefined : 'hash';
}

/** One receipt a line. */
export function exportReceipts(receipts: readonly Receipt[]): string {
  return receipts.map((receipt) => `${canonicalJson(receipt)}\n`).join('');
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const receiptSchema = z.strictObject({
  chain: z.string().optional(),
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
