// Owns running an expression over bytes: a pushdown automaton whose reachable configurations are numbered as
// they are met, so that from the second time on a step is one look-up. Knows nothing of tokens or of JSON.
import { type Expression, sequence } from './expression.ts';
import { createNumbering, type Terminal } from './terminal.ts';

export interface Machine {
  readonly start: number;
  /** The state after this byte; -1 where it can not follow. */
  step(state: number, byte: number): number;
  /** The text so far is whole. */
  accepts(state: number): boolean;
  /** Nothing may follow. */
  mustEnd(state: number): boolean;
  /** The only byte that can follow fixed text; -1 where there is a choice or an end. */
  only(state: number): number;
  /** Bytes of a short way to an end; undefined where there is none. */
  closing(state: number): Uint8Array | undefined;
  /** A state from which the same texts of at most `reach` bytes may follow. */
  alike(state: number, reach: number): number;
  states(): number;
}

/** What is still to come after the present part, shared between states. */
interface Rest {
  readonly id: number;
  readonly item: Expression;
  readonly next: Rest | undefined;
}

interface Leaf {
  readonly id: number;
  readonly bytes: Uint8Array | undefined;
  readonly terminal: Terminal | undefined;
  /** Position in the bytes, or the terminal's state. */
  readonly at: number;
  readonly owner: number;
  readonly rest: Rest | undefined;
}

interface State {
  readonly leaves: readonly Leaf[];
  readonly accepts: boolean;
}

const UNKNOWN = -2;
/** A schema that unfolds without a byte in between would unfold for ever. */
const MAX_UNFOLDS = 20_000;

export function createMachine(root: Expression): Machine {
  const rests = new Map<string, Rest>();
  const leaves = new Map<string, Leaf>();
  const states = createNumbering<State>(
    (state) => `${state.accepts ? '!' : ''}${state.leaves.map(({ id }) => id).join()}`,
  );
  const tables: (Int32Array | undefined)[] = [];
  const closings = new Map<number, Uint8Array | undefined>();
  const shortest = shortestTexts(root);

  function push(item: Expression, next: Rest | undefined): Rest {
    const key = `${item.id}/${next?.id ?? 0}`;
    const known = rests.get(key);
    if (known !== undefined) return known;
    const made: Rest = { id: rests.size + 1, item, next };
    rests.set(key, made);
    return made;
  }

  function leaf(from: Omit<Leaf, 'id'>): Leaf {
    const key = `${from.owner}/${from.at}/${from.rest?.id ?? 0}`;
    const known = leaves.get(key);
    if (known !== undefined) return known;
    const made: Leaf = { ...from, id: leaves.size };
    leaves.set(key, made);
    return made;
  }

  /** Collects where the text can go on without a byte. */
  function createReach() {
    const found = new Map<number, Leaf>();
    const seen = new Set<number>();
    let accepts = false;
    let unfolds = 0;

    function go(rest: Rest | undefined): void {
      if (rest === undefined) accepts = true;
      else if (!seen.has(rest.id)) {
        seen.add(rest.id);
        enter(rest.item, rest.next);
      }
    }
    function enter(item: Expression, rest: Rest | undefined): void {
      if (item.kind === 'choice') for (const option of item.items) enter(option, rest);
      else if (item.kind === 'sequence')
        go(item.items.reduceRight((next, part) => push(part, next), rest as Rest));
      else if (item.kind === 'later') {
        unfolds += 1;
        if (unfolds < MAX_UNFOLDS) go(push(item.unfold(), rest));
      } else if (item.kind === 'text') {
        if (item.bytes.length === 0) go(rest);
        else add({ bytes: item.bytes, terminal: undefined, at: 0, owner: item.id, rest });
      } else {
        const { terminal } = item;
        visit({ bytes: undefined, terminal, at: terminal.start, owner: item.id, rest });
      }
    }
    function add(from: Omit<Leaf, 'id'>): void {
      // A way that never ends is none: a state that is reached can always be left.
      if (restClosing(from.rest) === undefined) return;
      const made = leaf(from);
      found.set(made.id, made);
    }
    /** A terminal's state: it may go on, and where it is whole, so may what comes after. */
    function visit(from: Omit<Leaf, 'id'>): void {
      if (from.terminal!.more(from.at)) add(from);
      if (from.terminal!.accepts(from.at)) go(from.rest);
    }
    return {
      go,
      add,
      visit,
      done: () => states.of({ leaves: [...found.values()].sort((a, b) => a.id - b.id), accepts }),
    };
  }

  function compute(state: number, byte: number): number {
    const reach = createReach();
    for (const from of states.get(state).leaves) {
      if (from.bytes !== undefined) {
        if (from.bytes[from.at] !== byte) continue;
        if (from.at + 1 === from.bytes.length) reach.go(from.rest);
        else reach.add({ ...from, at: from.at + 1 });
        continue;
      }
      const at = from.terminal!.step(from.at, byte);
      if (at >= 0) reach.visit({ ...from, at });
    }
    const next = reach.done();
    const { leaves: there, accepts } = states.get(next);
    return there.length === 0 && !accepts ? -1 : next;
  }

  function step(state: number, byte: number): number {
    tables[state] ??= new Int32Array(256).fill(UNKNOWN);
    const table = tables[state];
    const known = table[byte]!;
    if (known !== UNKNOWN) return known;
    const next = compute(state, byte);
    table[byte] = next;
    return next;
  }

  function closing(state: number): Uint8Array | undefined {
    if (closings.has(state)) return closings.get(state);
    const { leaves: from, accepts } = states.get(state);
    let best: Uint8Array | undefined = accepts ? new Uint8Array(0) : undefined;
    for (const { bytes, terminal, at, rest } of from) {
      const own = bytes?.subarray(at) ?? Uint8Array.from(terminal!.closing(at));
      const after = restClosing(rest);
      if (after === undefined || (best !== undefined && own.length + after.length >= best.length)) continue;
      best = join(own, after);
    }
    closings.set(state, best);
    return best;
  }

  const restClosings = new Map<number, Uint8Array | undefined>();
  function restClosing(rest: Rest | undefined): Uint8Array | undefined {
    if (rest === undefined) return new Uint8Array(0);
    if (restClosings.has(rest.id)) return restClosings.get(rest.id);
    const own = shortest(rest.item);
    const after = restClosing(rest.next);
    const whole = own === undefined || after === undefined ? undefined : join(own, after);
    restClosings.set(rest.id, whole);
    return whole;
  }

  const opening = createReach();
  opening.go(push(sequence(root), undefined));
  return {
    start: opening.done(),
    step,
    accepts: (state) => states.get(state).accepts,
    mustEnd(state) {
      const { leaves: from, accepts } = states.get(state);
      return accepts && from.length === 0;
    },
    only(state) {
      const { leaves: from, accepts } = states.get(state);
      const [first] = from;
      const byte = first?.bytes?.[first.at];
      if (accepts || byte === undefined) return -1;
      return from.every(({ bytes, at }) => bytes?.[at] === byte) ? byte : -1;
    },
    closing,
    alike(state, reach) {
      const { leaves: from, accepts } = states.get(state);
      if (from.every(({ terminal }) => terminal === undefined)) return state;
      const like = from.map((entry) =>
        entry.terminal === undefined ? entry : leaf({ ...entry, at: entry.terminal.alike(entry.at, reach) }),
      );
      return states.of({ leaves: [...new Set(like)].sort((a, b) => a.id - b.id), accepts });
    },
    states: () => tables.length,
  };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/**
 * The shortest text of every expression within `root`; undefined where every text of one holds itself again.
 * Knuth's generalisation of shortest paths, by rounds until nothing gets shorter.
 */
function shortestTexts(root: Expression): (item: Expression) => Uint8Array | undefined {
  const all = within(root);
  const known = new Map<number, Uint8Array>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const item of all) {
      const bytes = shortestOf(item, known);
      if (bytes === undefined || bytes.length >= (known.get(item.id)?.length ?? Infinity)) continue;
      known.set(item.id, bytes);
      changed = true;
    }
  }
  return (item) => known.get(item.id) ?? shortestOf(item, known);
}

function shortestOf(item: Expression, known: ReadonlyMap<number, Uint8Array>): Uint8Array | undefined {
  if (item.kind === 'text') return item.bytes;
  if (item.kind === 'terminal') return Uint8Array.from(item.terminal.closing(item.terminal.start));
  if (item.kind === 'later') return known.get(item.unfold().id);
  const parts = item.items.map(({ id }) => known.get(id));
  if (item.kind === 'sequence') {
    if (parts.includes(undefined)) return undefined;
    return parts.reduce<Uint8Array>((sum, part) => join(sum, part!), new Uint8Array(0));
  }
  const whole = parts.filter((part) => part !== undefined);
  return whole.reduce<Uint8Array | undefined>(
    (best, part) => (best === undefined || part.length < best.length ? part : best),
    undefined,
  );
}

/** Every expression within, inner ones first as far as they do not go round. */
function within(root: Expression): readonly Expression[] {
  const seen = new Set<number>([root.id]);
  const found: Expression[] = [];
  const open: Expression[] = [root];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    found.push(item);
    const inner = item.kind === 'later' ? [item.unfold()] : 'items' in item ? item.items : [];
    for (const part of inner) {
      if (seen.has(part.id)) continue;
      seen.add(part.id);
      open.push(part);
    }
  }
  return found.reverse();
}
