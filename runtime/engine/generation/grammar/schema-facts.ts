// Owns reading a JSON schema: references resolved, `allOf` merged, choices spread out, until each alternative
// is a flat set of facts. Refuses what it can not keep, naming keyword and place; nothing is ever ignored but
// annotations. Source: JSON Schema 2020-12.
import { canonical, isObject, type Json } from './json.ts';
import { refuse, unsupported } from './refusals.ts';
import { apart, mergeFacts } from './schema-merge.ts';

export type SchemaType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** A schema that still has to be read, and where it stands. */
export interface SchemaNode {
  readonly schema: unknown;
  readonly at: string;
}

/** One alternative: everything here holds at once. */
export interface Facts {
  readonly types: ReadonlySet<SchemaType>;
  readonly values?: readonly Json[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
  readonly multipleOf?: number | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  /** ECMAScript sources; formats are written as patterns too. */
  readonly patterns: readonly { readonly source: string; readonly at: string }[];
  readonly properties: ReadonlyMap<string, readonly SchemaNode[]>;
  readonly required: ReadonlySet<string>;
  /** For names not in `properties`; absent: not said. */
  readonly additional?: readonly SchemaNode[] | undefined;
  readonly propertyNames?: readonly SchemaNode[] | undefined;
  readonly minProperties?: number | undefined;
  readonly maxProperties?: number | undefined;
  readonly prefixItems: readonly (readonly SchemaNode[])[];
  readonly items?: readonly SchemaNode[] | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly at: string;
}

export interface SchemaReader {
  /** All of these schemas at once, as alternatives; none where no value can satisfy them. */
  read(nodes: readonly SchemaNode[]): readonly Facts[];
}

const ALL_TYPES: readonly SchemaType[] = [
  'object',
  'array',
  'string',
  'number',
  'integer',
  'boolean',
  'null',
];
const MAX_ALTERNATIVES = 400;

/** Say nothing about which values are right. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  ...['$schema', '$id', '$comment', '$anchor', '$defs', 'definitions', 'title', 'description', 'default'],
  ...['examples', 'example', 'deprecated', 'readOnly', 'writeOnly', 'contentMediaType', 'contentEncoding'],
]);
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['type', 'nullable', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf', 'minimum', 'maximum'],
  ...['exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength', 'pattern', 'format'],
  ...['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties', 'items'],
  'propertyNames',
  ...['prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
]);
/** A schema that uses these and names no type means this one. */
const IMPLIED: readonly (readonly [SchemaType, readonly string[]])[] = [
  [
    'object',
    ['properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
  ],
  ['array', ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems']],
  ['string', ['minLength', 'maxLength', 'pattern', 'format']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
];

/** `patternOf` gives a format's pattern, or nothing where it is not known. */
export function createSchemaReader(
  root: unknown,
  rootAt: string,
  patternOf: (format: string) => string | undefined,
): SchemaReader {
  /** References being followed, so that one that leads to itself is seen. */
  const following = new Set<string>();

  function readOne({ schema, at }: SchemaNode): readonly Facts[] {
    if (schema === true) return [factsOf({}, at)];
    if (schema === false) return [];
    if (!isObject(schema)) return refuse(at, 'expected a schema, an object or a boolean');
    checkKeywords(schema, at);
    let alternatives: readonly Facts[] = [factsOf(schema, at)];
    if (schema.$ref !== undefined) alternatives = both(alternatives, follow(schema.$ref, at));
    for (const [index, part] of list(schema.allOf, `${at}.allOf`).entries()) {
      alternatives = both(alternatives, readOne({ schema: part, at: `${at}.allOf[${index}]` }));
    }
    if (schema.anyOf !== undefined) alternatives = both(alternatives, choices(schema, 'anyOf', at).flat());
    if (schema.oneOf !== undefined) {
      const branches = choices(schema, 'oneOf', at);
      checkApart(branches, at);
      alternatives = both(alternatives, branches.flat());
    }
    return alternatives;
  }

  function choices(
    schema: { readonly [key: string]: unknown },
    keyword: 'anyOf' | 'oneOf',
    at: string,
  ): (readonly Facts[])[] {
    return list(schema[keyword], `${at}.${keyword}`).map((part, index) =>
      readOne({ schema: part, at: `${at}.${keyword}[${index}]` }),
    );
  }

  /** Exactly one branch may hold, so no value may satisfy two: that has to be plain to see. */
  function checkApart(branches: readonly (readonly Facts[])[], at: string): void {
    for (const [index, branch] of branches.entries()) {
      for (const [before, other] of branches.slice(0, index).entries()) {
        const plain = branch.every((a) => other.every((b) => apart(a, b, read)));
        if (plain) continue;
        unsupported(
          `${at}.oneOf`,
          `branches ${before} and ${index} may both hold; use anyOf, or tell them apart by type or by a required const`,
        );
      }
    }
  }

  function follow(ref: unknown, at: string): readonly Facts[] {
    if (typeof ref !== 'string') return refuse(at, '$ref is not a string');
    if (following.has(ref)) return refuse(at, `$ref ${ref} leads back to itself with nothing in between`);
    following.add(ref);
    try {
      return readOne({ schema: resolve(ref, at), at: ref === '#' ? rootAt : `${rootAt}${ref}` });
    } finally {
      following.delete(ref);
    }
  }

  function resolve(ref: string, at: string): unknown {
    if (ref !== '#' && !ref.startsWith('#/')) return unsupported(at, `$ref ${ref} is not within this schema`);
    let found: unknown = root;
    for (const step of ref.split('/').slice(1)) {
      const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
      const has = typeof found === 'object' && found !== null && Object.hasOwn(found, key);
      if (!has) return refuse(at, `$ref ${ref} leads nowhere`);
      found = (found as Record<string, unknown>)[key];
    }
    return found;
  }

  function factsOf(schema: { readonly [key: string]: unknown }, at: string): Facts {
    const one = (name: string): SchemaNode => ({ schema: schema[name], at: `${at}.${name}` });
    const properties = schema.properties ?? {};
    if (!isObject(properties)) refuse(`${at}.properties`, 'expected an object');
    return {
      at,
      types: typesOf(schema, at),
      values: valuesOf(schema, at),
      ...numbersOf(schema, at),
      patterns: patternsOf(schema, at),
      properties: new Map(
        Object.entries(properties as object).map(([name, sub]) => [
          name,
          [{ schema: sub, at: `${at}.properties.${plainName(name)}` }],
        ]),
      ),
      required: new Set(strings(schema.required, `${at}.required`)),
      additional: schema.additionalProperties === undefined ? undefined : [one('additionalProperties')],
      propertyNames: schema.propertyNames === undefined ? undefined : [one('propertyNames')],
      prefixItems: list(schema.prefixItems, `${at}.prefixItems`).map((sub, index) => [
        { schema: sub, at: `${at}.prefixItems[${index}]` },
      ]),
      items: schema.items === undefined ? undefined : [one('items')],
    };
  }

  function patternsOf(schema: { readonly [key: string]: unknown }, at: string): Facts['patterns'] {
    const found: { source: string; at: string }[] = [];
    if (schema.pattern !== undefined) {
      if (typeof schema.pattern !== 'string') refuse(`${at}.pattern`, 'expected a string');
      found.push({ source: schema.pattern as string, at: `${at}.pattern` });
    }
    if (schema.format !== undefined) {
      const format = String(schema.format);
      const source = patternOf(format);
      if (source !== undefined) found.push({ source, at: `${at}.format` });
      // What a name nobody knows stands for is said by the pattern beside it.
      else if (!Object.hasOwn(FREE_FORMATS, format) && schema.pattern === undefined) {
        unsupported(`${at}.format`, `format ${format} is not supported`);
      }
    }
    return found;
  }

  function read(nodes: readonly SchemaNode[]): readonly Facts[] {
    return nodes.map(readOne).reduce(both);
  }
  return { read };
}

function both(some: readonly Facts[], others: readonly Facts[]): readonly Facts[] {
  const merged = some.flatMap((a) => others.flatMap((b) => mergeFacts(a, b) ?? []));
  if (merged.length > MAX_ALTERNATIVES)
    unsupported(some[0]!.at, `more than ${MAX_ALTERNATIVES} alternatives`);
  return merged;
}

function checkKeywords(schema: { readonly [key: string]: unknown }, at: string): void {
  for (const key of Object.keys(schema)) {
    if (KEYWORDS.has(key) || ANNOTATIONS.has(key) || key.startsWith('x-')) continue;
    unsupported(at, `keyword ${key} is not supported`);
  }
  const unique = schema.uniqueItems === true && !(Number(schema.maxItems) <= 1);
  if (unique) unsupported(at, 'keyword uniqueItems is not supported');
}

function typesOf(schema: { readonly [key: string]: unknown }, at: string): ReadonlySet<SchemaType> {
  const { type } = schema;
  let given: readonly string[];
  if (type !== undefined) given = typeof type === 'string' ? [type] : strings(type, `${at}.type`);
  else {
    const implied = IMPLIED.filter(([, keywords]) =>
      keywords.some((keyword) => schema[keyword] !== undefined),
    );
    const free = implied.length === 0 || schema.enum !== undefined || schema.const !== undefined;
    given = free ? ALL_TYPES : implied.map(([name]) => name);
  }
  const wrong = given.find((name) => !ALL_TYPES.includes(name as SchemaType));
  if (wrong !== undefined) refuse(`${at}.type`, `type ${wrong} is not known`);
  const types = new Set(given as readonly SchemaType[]);
  if (types.has('number')) types.add('integer');
  if (schema.nullable === true) types.add('null');
  return types;
}

function valuesOf(schema: { readonly [key: string]: unknown }, at: string): readonly Json[] | undefined {
  const values = schema.enum === undefined ? undefined : (list(schema.enum, `${at}.enum`) as readonly Json[]);
  if (!Object.hasOwn(schema, 'const')) return values;
  const only = schema.const as Json;
  if (values === undefined) return [only];
  return values.filter((value) => canonical(value) === canonical(only));
}

const COUNTS = ['minLength', 'maxLength', 'minProperties', 'maxProperties', 'minItems', 'maxItems'] as const;
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'] as const;
type Numbers = Partial<Record<(typeof COUNTS)[number] | (typeof BOUNDS)[number], number>>;
const MAX_COUNT = 2000;

function numbersOf(schema: { readonly [key: string]: unknown }, at: string): Numbers {
  const found: Numbers = {};
  for (const name of [...COUNTS, ...BOUNDS]) {
    const value = schema[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !Number.isFinite(value)) refuse(`${at}.${name}`, 'expected a number');
    found[name] = value as number;
  }
  for (const name of COUNTS) {
    const value = found[name];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 0) refuse(`${at}.${name}`, 'expected a whole number, 0 or more');
    if (name.startsWith('min') && value > MAX_COUNT) {
      unsupported(`${at}.${name}`, `more than ${MAX_COUNT} is not supported`);
    }
  }
  const bounds = FREE_FORMATS[String(schema.format)];
  if (bounds !== undefined) {
    found.minimum = Math.max(found.minimum ?? bounds[0], bounds[0]);
    found.maximum = Math.min(found.maximum ?? bounds[1], bounds[1]);
  }
  const { multipleOf } = found;
  if (multipleOf !== undefined && !(Number.isSafeInteger(multipleOf) && multipleOf > 0)) {
    unsupported(`${at}.multipleOf`, 'only whole numbers are supported, for others do not divide exactly');
  }
  return found;
}

/** Formats that ask nothing of a text; those of numbers may ask for bounds. Source: OpenAPI 3.1 format registry. */
const FREE_FORMATS: Readonly<Record<string, readonly [minimum: number, maximum: number] | undefined>> =
  Object.freeze({
    int32: [-(2 ** 31), 2 ** 31 - 1],
    uint32: [0, 2 ** 32 - 1],
    int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    float: undefined,
    double: undefined,
    password: undefined,
    binary: undefined,
    path: undefined,
    'file-path': undefined,
    'directory-path': undefined,
  });

function list(value: unknown, at: string): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : refuse(at, 'expected an array');
}

function strings(value: unknown, at: string): readonly string[] {
  const items = list(value, at);
  return items.every((item) => typeof item === 'string')
    ? (items as string[])
    : refuse(at, 'expected strings');
}

/** Places name schemas, so two names must never give one place. */
function plainName(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}
