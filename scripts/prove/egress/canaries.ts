// Owns the made-up people whose data must not leave: identifiers with valid check digits, each unlike any
// other, and the places in a request where they stand. Seeded: the same run makes the same ones.
import {
  type Canary,
  DISGUISES,
  type Disguise,
  makeCanaries,
  seeded,
} from '../../../runtime/policy/canaries.fixture.ts';

export type { Canary, Disguise } from '../../../runtime/policy/canaries.fixture.ts';

const LETTERS = 'bcdfghjkmnpqrstvwxz';
const MIXED = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789';
const FIRST = ['Marta', 'Joaquim', 'Claire', 'Thiago', 'Rosario', 'Edward', 'Leticia', 'Gonzalo'];

/** Below what a canary costs most if it leaks: these must not even be kept by an edge that was told them. */
export const SENSITIVE_KINDS: ReadonlySet<string> = new Set([
  'card',
  'card-grouped',
  'ssn',
  'iban',
  'cpf',
  'dni',
  'key',
]);

export interface CanarySource {
  /** Fresh canaries, `count` of each kind; thinned, of two kinds that change from call to call. */
  take(count: number): Canary[];
  /** One of this kind. */
  one(kind: string): Canary;
}

/** Of so many kinds one is taken a call, where time is short. */
const THIN = 5;

/** An endless supply. */
export function createCanarySource({
  thin = false,
  seed = 11,
}: {
  readonly thin?: boolean;
  readonly seed?: number;
} = {}): CanarySource {
  const next = seeded(seed);
  const pick = (alphabet: string, length: number): string =>
    Array.from({ length }, () => alphabet[next(alphabet.length)]).join('');
  // The fixture's addresses repeat their domains; these can be told apart by any half of them.
  const words: readonly (() => Canary)[] = [
    () => ({
      kind: 'email',
      type: 'email',
      value: `${pick(LETTERS, 7)}.${pick(LETTERS, 6)}@${pick(LETTERS, 9)}.org`,
    }),
    () => ({ kind: 'key', type: 'secret', value: `ghp_${pick(MIXED, 36)}` }),
    () => ({
      kind: 'name',
      type: 'person',
      value: `${FIRST[next(FIRST.length)]} ${surname(pick(LETTERS, 9))}`,
    }),
  ];
  let drawn = seed;
  const takeAll = (count: number): Canary[] => {
    drawn += 1;
    const numbers = makeCanaries(count, drawn).filter(({ kind }) => kind !== 'email');
    return [...numbers, ...words.flatMap((make) => Array.from({ length: count }, make))];
  };
  return {
    take(count) {
      const all = takeAll(count);
      return thin ? all.filter((_canary, at) => Math.floor(at / count) % THIN === drawn % THIN) : all;
    },
    one: (kind) => takeAll(1).find((canary) => canary.kind === kind)!,
  };
}

function surname(letters: string): string {
  // Vowels between, so that it reads as a name would.
  const said = Array.from(letters, (letter, at) => letter + 'aeiou'[at % 5])
    .join('')
    .slice(0, 10);
  return said.charAt(0).toUpperCase() + said.slice(1);
}

/** Sentences a canary stands in; `{}` marks the place. Names need words around them to be one. */
const CARRIERS = [
  'Please update my record with {} and confirm.',
  'Por favor, anote {} en mi ficha.',
  'Anote {} no meu cadastro, por favor.',
  '{}',
  'Here it is:\n{}\nThanks a lot for your help with this.',
] as const;
const NAME_CARRIERS = [
  'My name is {} and I need an appointment.',
  'Patient: {}. Please write the letter.',
  'Me llamo {} y necesito una cita.',
  'Meu nome é {} e preciso de uma consulta.',
] as const;

export function carry(canary: Canary, worn: string, at: number): string {
  const carriers = canary.kind === 'name' ? NAME_CARRIERS : CARRIERS;
  return carriers[at % carriers.length]!.replace('{}', () => worn);
}

/** As many disguises as a canary of this group may have. */
export function mostOf(group: Disguise['group']): number {
  return DISGUISES.filter((disguise) => disguise.group === group).length;
}

/** What the detector promises for names is their plain form; a disguised one is what the device tier is for. */
export function disguisesFor(canary: Canary, group: Disguise['group']): readonly Disguise[] {
  if (canary.kind === 'name' || canary.kind === 'key') return [];
  return DISGUISES.filter((disguise) => disguise.group === group && (disguise.suits?.(canary) ?? true));
}
