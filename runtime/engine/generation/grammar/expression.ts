// Owns what a grammar is made of before it meets any text: fixed bytes, terminals, sequences, choices, and
// parts that unfold when they are reached, which is how a schema refers to itself.
import type { Terminal } from './terminal.ts';

export type Expression =
  | { readonly kind: 'text'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'terminal'; readonly id: number; readonly terminal: Terminal }
  | { readonly kind: 'sequence'; readonly id: number; readonly items: readonly Expression[] }
  | { readonly kind: 'choice'; readonly id: number; readonly items: readonly Expression[] }
  | { readonly kind: 'later'; readonly id: number; readonly unfold: () => Expression };

let lastId = 0;
const encoder = new TextEncoder();

/** Expressions are told apart by identity: ids are never used again. */
function nextId(): number {
  lastId += 1;
  return lastId;
}

export function text(value: string): Expression {
  return { kind: 'text', id: nextId(), bytes: encoder.encode(value) };
}

export function terminal(value: Terminal): Expression {
  return { kind: 'terminal', id: nextId(), terminal: value };
}

export function sequence(...items: readonly Expression[]): Expression {
  return items.length === 1 ? items[0]! : { kind: 'sequence', id: nextId(), items };
}

/** None of them to choose from matches nothing at all. */
export function choice(items: readonly Expression[]): Expression {
  return items.length === 1 ? items[0]! : { kind: 'choice', id: nextId(), items };
}

export function later(make: () => Expression): Expression {
  let made: Expression | undefined;
  return {
    kind: 'later',
    id: nextId(),
    unfold() {
      made ??= make();
      return made;
    },
  };
}
