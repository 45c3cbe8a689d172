// Owns receipts at an edge without a database: the newest ones, so a long-lived process does not grow. Each
// answer carries its receipt to the caller anyway; the chain's hashes go on across the ones forgotten.
import type { Receipt } from 'nearfield';
import { type ReceiptStore, SequenceTaken } from 'nearfield/policy';

/** Keeps the last `capacity` receipts in memory; default 1000. */
export function createRecentReceiptStore(capacity = 1000): ReceiptStore {
  let kept: Receipt[] = [];
  return {
    last: async () => kept.at(-1),
    async append(receipt) {
      if ((kept.at(-1)?.sequence ?? 0) >= receipt.sequence) throw new SequenceTaken();
      kept = [...kept.slice(1 - capacity), receipt];
    },
    all: async () => kept,
  };
}
