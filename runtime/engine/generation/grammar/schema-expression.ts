// Owns JSON schemas as expressions. Objects have their keys in the schema's order, each at most once; a key
// that may be left out may be. What a schema leaves open is settled narrowly: every text it makes satisfies
// the schema, though not every value that would can be made.
import { choice, type Expression, later, sequence, terminal, text } from './expression.ts';
import { FORMATS } from './formats.ts';
import { COLON, COMMA, type Json, written } from './json.ts';
import { createFreeNumberTerminal, createNumberTerminal } from './number-terminal.ts';
import { compilePattern } from './pattern-looks.ts';
import { bothOf } from './pattern-sets.ts';
import { createPatternWalk } from './pattern-walk.ts';
import { refuse, unsupported } from './refusals.ts';
import { createSchemaReader, type Facts, type SchemaNode, type SchemaType } from './schema-facts.ts';
import { typeOf } from './schema-merge.ts';
import { createStringTerminal, type StringBounds } from './string-terminal.ts';

/** @throws invalid-request naming the keyword and its place */
export function schemaExpression(schema: unknown, at: string): Expression {
  const reader = createSchemaReader(schema, at, (format) => FORMATS[format]);
  const known = new Map<string, Expression | undefined>();

  /** All of these at once; undefined where no value can be. The same nodes give the same expression. */
  function valueFor(nodes: readonly SchemaNode[]): Expression {
    const distinct = [...new Map(nodes.map((node) => [node.at, node])).values()];
    const key = [...distinct.map((node) => node.at)].join('\n');
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = later(() => {
      const alternatives = reader.read(distinct).flatMap(ofFacts);
      return choice(alternatives);
    });
    known.set(key, made);
    return made;
  }

  /** Read at once, so that a schema's faults are told before its first token. */
  const possible = (nodes: readonly SchemaNode[]): boolean => reader.read(nodes).length > 0;

  function ofFacts(facts: Facts): readonly Expression[] {
    if (facts.values !== undefined) {
      return facts.values.filter((value) => fits(value, facts)).map((value) => text(written(value)));
    }
    const types = facts.types.has('number') ? without(facts.types, 'integer') : facts.types;
    return [...types].flatMap((type) => BY_TYPE[type](facts) ?? []);
  }

  const BY_TYPE: Readonly<Record<SchemaType, (facts: Facts) => Expression | undefined>> = {
    null: () => text('null'),
    boolean: () => choice([text('true'), text('false')]),
    integer: (facts) => numberOf(facts, true),
    number: (facts) => numberOf(facts, false),
    string: (facts) => stringOf(facts),
    array: (facts) => arrayOf(facts),
    object: (facts) => objectOf(facts),
  };

  function arrayOf({ prefixItems, items, minItems = 0, maxItems = Number.POSITIVE_INFINITY }: Facts) {
    const itemAt = (index: number): readonly SchemaNode[] => prefixItems[index] ?? items ?? ANY;
    const allowed = (index: number) => index < maxItems && possible(itemAt(index));
    const places = new Map<number, Expression>();
    // Beyond all that is counted every place is like the next.
    const last = Math.max(prefixItems.length, minItems, Number.isFinite(maxItems) ? maxItems : 0) + 1;
    const from = (index: number): Expression => {
      const place = Math.min(index, last);
      const found = places.get(place);
      if (found !== undefined) return found;
      const made = later(() => {
        const ways: Expression[] = place >= minItems ? [text(']')] : [];
        if (allowed(place)) {
          ways.push(sequence(text(place === 0 ? '' : COMMA), valueFor(itemAt(place)), from(place + 1)));
        }
        return choice(ways);
      });
      places.set(place, made);
      return made;
    };
    return sequence(text('['), from(0));
  }

  function objectOf(facts: Facts): Expression | undefined {
    const { additional, minProperties = 0, maxProperties = Number.POSITIVE_INFINITY, required } = facts;
    // Where properties are listed and nothing is said of others, there are none.
    const open = additional ?? (facts.properties.size === 0 ? ANY : NONE);
    checkNames(facts);
    const names = new Map(facts.properties);
    for (const name of required) if (!names.has(name)) names.set(name, open);
    const entries = [...names].filter(([name, nodes]) => required.has(name) || possible(nodes));
    const others = possible(open) ? valueFor(open) : undefined;
    const otherKey = others && keyOf(facts, names);
    const places = new Map<string, Expression>();

    /** After `count` keys, of which the listed ones before `index` were written or left out. */
    const from = (index: number, count: number): Expression => {
      const counted = Number.isFinite(maxProperties) ? count : Math.min(count, Math.max(1, minProperties));
      const key = `${index}/${counted}`;
      const found = places.get(key);
      if (found !== undefined) return found;
      const made = later(() => choice(ways(index, counted)));
      places.set(key, made);
      return made;
    };

    function ways(index: number, count: number): Expression[] {
      const comma = text(count === 0 ? '' : COMMA);
      const found: Expression[] = [];
      for (let at = index; at < entries.length; at += 1) {
        const [name, nodes] = entries[at]!;
        if (count < maxProperties) {
          found.push(
            sequence(comma, text(JSON.stringify(name) + COLON), valueFor(nodes), from(at + 1, count + 1)),
          );
        }
        if (required.has(name)) return found;
      }
      if (count >= minProperties) found.push(text('}'));
      // The same other key may come twice and would count once.
      if (others !== undefined && otherKey !== undefined && count < maxProperties && count >= minProperties) {
        found.push(
          sequence(comma, text('"'), otherKey, text(COLON), others, from(entries.length, count + 1)),
        );
      }
      return found;
    }
    if (minProperties > entries.length && others !== undefined) {
      unsupported(facts.at, 'minProperties beyond the listed properties is not supported');
    }
    return sequence(text('{'), from(0, 0));
  }

  /** A key that is not listed; undefined where none can be. */
  function keyOf(
    { propertyNames, at: place }: Facts,
    names: ReadonlyMap<string, unknown>,
  ): Expression | undefined {
    const except = names.size > 0 ? new Set(names.keys()) : undefined;
    if (propertyNames === undefined) return terminal(createStringTerminal({ except })!);
    const ways = reader.read(propertyNames).filter(({ types }) => types.has('string'));
    const keys = ways.flatMap((way): (Expression | undefined)[] => {
      if (way.values !== undefined) {
        const words = way.values.filter((value) => typeof value === 'string' && fits(value, way));
        return words.flatMap((word) =>
          except?.has(word as string) ? [] : [text(JSON.stringify(word).slice(1))],
        );
      }
      const bounds = boundsOf(way);
      if (except !== undefined && bounds.pattern !== undefined) {
        unsupported(place, 'propertyNames with a pattern beside listed properties is not supported');
      }
      const made = createStringTerminal({ ...bounds, except });
      return [made && terminal(made)];
    });
    const possibleKeys = keys.filter((key) => key !== undefined);
    return possibleKeys.length === 0 ? undefined : choice(possibleKeys);
  }

  /** Listed names are names too. */
  function checkNames({ propertyNames, properties, required, at: place }: Facts): void {
    if (propertyNames === undefined) return;
    const ways = reader.read(propertyNames);
    for (const name of new Set([...properties.keys(), ...required])) {
      if (!ways.some((way) => (way.values?.includes(name) ?? true) && fits(name, way))) {
        refuse(place, `propertyNames does not take ${JSON.stringify(name)}, which is listed`);
      }
    }
  }

  return valueFor([{ schema, at }]);
}

const ANY: readonly SchemaNode[] = [{ schema: true, at: '*' }];
const NONE: readonly SchemaNode[] = [{ schema: false, at: '-' }];

function numberOf(facts: Facts, integer: boolean): Expression | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = facts;
  const bounds = { integer, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf };
  const free = [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf].every(
    (bound) => bound === undefined,
  );
  const made = free && !integer ? createFreeNumberTerminal() : createNumberTerminal(bounds);
  return made && terminal(made);
}

function stringOf(facts: Facts): Expression | undefined {
  const made = createStringTerminal(boundsOf(facts));
  return made && sequence(text('"'), terminal(made));
}

function boundsOf({ minLength, maxLength, patterns, at }: Facts): StringBounds {
  const tooLarge = () =>
    unsupported(at, 'patterns and formats that are too large together are not supported');
  const [first, ...others] = patterns.map((pattern) => compilePattern(pattern.source, pattern.at));
  const all = first && others.reduce((sum, other) => bothOf(sum, other, tooLarge), first);
  return { minLength, maxLength, pattern: all && createPatternWalk(all) };
}

/** Does a listed value satisfy what is said beside the list? */
function fits(value: Json, facts: Facts): boolean {
  if (!facts.types.has(typeOf(value))) return false;
  if (typeof value === 'number') {
    const { minimum = value, maximum = value, multipleOf = 1 } = facts;
    const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = facts;
    const within =
      value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum;
    return within && (facts.multipleOf === undefined || value % multipleOf === 0);
  }
  if (typeof value === 'string') {
    const length = [...value].length;
    const { minLength = 0, maxLength = length } = facts;
    return (
      length >= minLength &&
      length <= maxLength &&
      facts.patterns.every(({ source }) => new RegExp(source, 'u').test(value))
    );
  }
  const plain = facts.properties.size + facts.required.size + facts.prefixItems.length === 0;
  const counted = [
    facts.minProperties,
    facts.maxProperties,
    facts.minItems,
    facts.maxItems,
    facts.items,
    facts.additional,
  ];
  if (
    typeof value === 'object' &&
    value !== null &&
    !(plain && counted.every((fact) => fact === undefined))
  ) {
    unsupported(facts.at, 'enum or const of objects or arrays together with other keywords is not supported');
  }
  return true;
}

function without(types: ReadonlySet<SchemaType>, type: SchemaType): ReadonlySet<SchemaType> {
  return new Set([...types].filter((other) => other !== type));
}
