// Owns two sets of facts at once: what holds when both hold, and whether any value can.
import { canonical, isObject, type Json } from './json.ts';
import type { Facts, SchemaNode, SchemaType } from './schema-facts.ts';

/** What both say together; undefined where no type is left. */
export function mergeFacts(a: Facts, b: Facts): Facts | undefined {
  const types = new Set([...a.types].filter((type) => b.types.has(type)));
  if (types.size === 0) return undefined;
  return {
    at: a.at,
    types,
    values: shared(a.values, b.values),
    minimum: largest(a.minimum, b.minimum),
    maximum: smallest(a.maximum, b.maximum),
    exclusiveMinimum: largest(a.exclusiveMinimum, b.exclusiveMinimum),
    exclusiveMaximum: smallest(a.exclusiveMaximum, b.exclusiveMaximum),
    multipleOf: commonMultiple(a.multipleOf, b.multipleOf),
    minLength: largest(a.minLength, b.minLength),
    maxLength: smallest(a.maxLength, b.maxLength),
    patterns: [
      ...a.patterns,
      ...b.patterns.filter(({ source }) => a.patterns.every((p) => p.source !== source)),
    ],
    properties: properties(a, b),
    required: new Set([...a.required, ...b.required]),
    additional: together(a.additional, b.additional),
    propertyNames: together(a.propertyNames, b.propertyNames),
    minProperties: largest(a.minProperties, b.minProperties),
    maxProperties: smallest(a.maxProperties, b.maxProperties),
    prefixItems: prefixes(a, b),
    items: together(a.items, b.items),
    minItems: largest(a.minItems, b.minItems),
    maxItems: smallest(a.maxItems, b.maxItems),
  };
}

function largest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function smallest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function commonMultiple(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

function shared(a: Facts['values'], b: Facts['values']): Facts['values'] {
  if (a === undefined || b === undefined) return a ?? b;
  const keys = new Set(b.map(canonical));
  return a.filter((value) => keys.has(canonical(value)));
}

function together(
  a: readonly SchemaNode[] | undefined,
  b: readonly SchemaNode[] | undefined,
): readonly SchemaNode[] | undefined {
  return a === undefined || b === undefined ? (a ?? b) : [...a, ...b];
}

/** A name that only one side lists is an additional one to the other. */
function properties(a: Facts, b: Facts): Facts['properties'] {
  const merged = new Map<string, readonly SchemaNode[]>();
  for (const name of new Set([...a.properties.keys(), ...b.properties.keys()])) {
    const ofA = a.properties.get(name) ?? a.additional ?? [];
    const ofB = b.properties.get(name) ?? b.additional ?? [];
    merged.set(name, [...ofA, ...ofB]);
  }
  return merged;
}

/** An item beyond one side's prefix is any other to that side. */
function prefixes(a: Facts, b: Facts): Facts['prefixItems'] {
  const length = Math.max(a.prefixItems.length, b.prefixItems.length);
  return Array.from({ length }, (_, index) => [
    ...(a.prefixItems[index] ?? a.items ?? []),
    ...(b.prefixItems[index] ?? b.items ?? []),
  ]);
}

/** Is it plain that no value satisfies both? False where it would take more than a look. */
export function apart(
  a: Facts,
  b: Facts,
  read: (nodes: readonly SchemaNode[]) => readonly Facts[],
  depth = 3,
): boolean {
  const merged = mergeFacts(a, b);
  if (merged === undefined) return true;
  if (merged.values !== undefined) return merged.values.every((value) => !merged.types.has(typeOf(value)));
  return [...merged.types].every((type) => {
    if (type === 'integer' || type === 'number')
      return (merged.minimum ?? -Infinity) > (merged.maximum ?? Infinity);
    if (type === 'string') return (merged.minLength ?? 0) > (merged.maxLength ?? Infinity);
    if (type === 'array') return (merged.minItems ?? 0) > (merged.maxItems ?? Infinity);
    return type === 'object' && depth > 0 && objectsApart(a, b, read, depth);
  });
}

/** Some name that one side needs is told apart by the other, or not allowed there. */
function objectsApart(
  a: Facts,
  b: Facts,
  read: (nodes: readonly SchemaNode[]) => readonly Facts[],
  depth: number,
): boolean {
  return [...new Set([...a.required, ...b.required])].some((name) => {
    const inA = a.properties.get(name) ?? a.additional;
    const inB = b.properties.get(name) ?? b.additional;
    if (inA === undefined || inB === undefined) return false;
    return read(inA).every((x) => read(inB).every((y) => apart(x, y, read, depth - 1)));
  });
}

export function typeOf(value: Json): SchemaType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isObject(value)) return 'object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as SchemaType;
}
