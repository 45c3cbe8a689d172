// Owns how many bytes of models may be open at once: opening one more closes the least recently used that
// is idle. A closed model opens again at its next use. Refuses to close a model at work.

export interface MemoryBudget {
  /** Counts a holder; may close others first. A holder larger than the whole budget is let in alone. */
  hold(holder: object, bytes: number, owner: BudgetOwner): Promise<void>;
  touch(holder: object): void;
  forget(holder: object): void;
  heldBytes(): number;
}

export interface BudgetOwner {
  busy(): boolean;
  close(): Promise<void>;
}

export function createMemoryBudget(budgetBytes: number): MemoryBudget {
  // Map order is use order: the first is the least recently used.
  const holders = new Map<object, { bytes: number; owner: BudgetOwner }>();
  const heldBytes = () => [...holders.values()].reduce((sum, held) => sum + held.bytes, 0);
  return {
    heldBytes,
    async hold(holder, bytes, owner) {
      holders.delete(holder);
      for (const [other, held] of [...holders]) {
        if (heldBytes() + bytes <= budgetBytes) break;
        if (held.owner.busy()) continue;
        holders.delete(other);
        await held.owner.close();
      }
      holders.set(holder, { bytes, owner });
    },
    touch(holder) {
      const held = holders.get(holder);
      if (held === undefined) return;
      holders.delete(holder);
      holders.set(holder, held);
    },
    forget(holder) {
      holders.delete(holder);
    },
  };
}
