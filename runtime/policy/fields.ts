// Owns the list of every text a request carries, and rebuilding the request with some of them replaced.
// Refuses what it does not know: an unknown field or a value that is no plain JSON is reported, because
// text nobody looked at must not leave.
import type { ChatRequest } from '../types.ts';
import type { Uncertainty } from './decide.ts';
import type { TextOrigin } from './document.ts';

/**
 * How a text may be replaced. `identifier`: upstreams accept [A-Za-z0-9_-] only. `participant`: a
 * person's name for themselves, personal by definition. `local`: never leaves as it is. `arguments`: JSON,
 * and JSON it must stay.
 */
export type FieldKind = 'text' | 'identifier' | 'participant' | 'local' | 'arguments';

export interface Field {
  readonly text: string;
  readonly kind: FieldKind;
  readonly origin: TextOrigin;
  /** The key a value of plain JSON stands under: `hunter2` says nothing, `password` beside it does. */
  readonly label?: string | undefined;
  /** A message's or a document's own words, which may go on in the next. */
  readonly flows?: boolean | undefined;
  /** Where the parts of a message meet in its text; they are sent joined. */
  readonly joints?: readonly number[] | undefined;
}

/** `count`: a number or a flag that stays here or goes on within known bounds, so no text can hide in it. */
type Leaf = FieldKind | 'flow' | 'json' | 'parts' | 'scalar' | 'count';
/** One of these words and no other: a free word could be somebody's name. */
interface OneOf {
  readonly oneOf: readonly string[];
}
type Shape = Leaf | OneOf | { readonly list: Shape } | { readonly either: readonly Shape[] } | ObjectShape;
interface ObjectShape {
  readonly keys: Readonly<Record<string, Shape>>;
}

const FUNCTION: OneOf = { oneOf: ['function'] };
const FUNCTION_NAME: ObjectShape = { keys: { name: 'identifier' } };
const MESSAGE: ObjectShape = {
  keys: {
    role: { oneOf: ['system', 'developer', 'user', 'assistant', 'tool'] },
    content: { either: ['flow', 'parts'] },
    name: 'participant',
    tool_call_id: 'identifier',
    tool_calls: {
      list: {
        keys: {
          id: 'identifier',
          type: FUNCTION,
          function: { keys: { name: 'identifier', arguments: 'arguments' } },
        },
      },
    },
  },
};
const TOOL: ObjectShape = {
  keys: {
    type: FUNCTION,
    function: { keys: { name: 'identifier', description: 'text', parameters: 'json', strict: 'scalar' } },
  },
};
const RESPONSE_FORMAT: ObjectShape = {
  keys: {
    type: { oneOf: ['text', 'json_object', 'json_schema'] },
    json_schema: { keys: { name: 'identifier', description: 'text', schema: 'json', strict: 'scalar' } },
  },
};
const REQUEST: ObjectShape = {
  keys: {
    model: 'text',
    messages: { list: MESSAGE },
    max_completion_tokens: 'scalar',
    temperature: 'scalar',
    top_p: 'scalar',
    frequency_penalty: 'scalar',
    presence_penalty: 'scalar',
    top_k: 'scalar',
    min_p: 'scalar',
    repetition_penalty: 'scalar',
    logit_bias: 'json',
    logprobs: 'scalar',
    top_logprobs: 'scalar',
    phrase: 'scalar',
    priority: { oneOf: ['interactive', 'background'] },
    seed: 'scalar',
    stop: { list: 'text' },
    tools: { list: TOOL },
    tool_choice: {
      either: [
        { oneOf: ['none', 'auto', 'required'] },
        { keys: { type: FUNCTION, function: FUNCTION_NAME } },
      ],
    },
    parallel_tool_calls: 'scalar',
    response_format: RESPONSE_FORMAT,
    user: 'local',
    privacy: { oneOf: ['device', 'edge', 'cloud'] },
    scope: 'local',
    cache: { oneOf: ['use', 'refresh', 'bypass'] },
    cacheControl: {
      keys: { maxAgeMs: 'count', maxStaleMs: 'count', minFreshMs: 'count', onlyIfCached: 'count' },
    },
    documents: { list: { keys: { id: 'text', title: 'text', text: 'flow' } } },
    metadata: 'json',
  },
};
const ORIGIN_BY_KEY: Readonly<Record<string, TextOrigin>> = {
  tools: 'schema',
  tool_choice: 'schema',
  response_format: 'schema',
  documents: 'document',
};
const ORIGIN_BY_ROLE: Readonly<Record<string, TextOrigin>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
};
/** Keys of a schema that say what may stand at the property around them. */
const SCHEMA_VALUES: ReadonlySet<string> = new Set(['default', 'enum', 'const', 'example', 'examples']);
const MAX_DEPTH = 64;
const MAX_FIELDS = 50_000;

/** Gives the text that takes a field's place; called once a field, always in the same order. */
export type Replace = (field: Field) => string;

export interface Rewritten {
  readonly request: ChatRequest;
  readonly uncertain: Uncertainty | undefined;
}

interface Walk {
  readonly replace: Replace;
  uncertain: Uncertainty | undefined;
  fields: number;
  origin: TextOrigin;
}

/** Rebuilds `request` with every text passed through `replace`. Leaves the original untouched. */
export function rewriteRequest(request: ChatRequest, replace: Replace): Rewritten {
  const walk: Walk = { replace, uncertain: undefined, fields: 0, origin: 'metadata' };
  const rebuilt = rewrite(walk, request, REQUEST, 0);
  return { request: rebuilt as ChatRequest, uncertain: walk.uncertain };
}

function rewrite(walk: Walk, value: unknown, shape: Shape, depth: number): unknown {
  if (value === undefined || value === null) return value;
  if (depth > MAX_DEPTH || walk.fields > MAX_FIELDS) return doubt(walk, 'too-large');
  if (shape === 'json') return rewriteJson(walk, value, depth);
  if (shape === 'scalar') return rewriteScalar(walk, value);
  if (shape === 'count') return isCount(value) ? value : doubt(walk, 'unreadable-content');
  if (shape === 'parts') return rewriteParts(walk, value);
  if (typeof shape === 'string') {
    if (typeof value !== 'string') return doubt(walk, 'unreadable-content');
    return shape === 'flow' ? visit(walk, value, 'text', { flows: true }) : visit(walk, value, shape);
  }
  if ('oneOf' in shape) {
    return shape.oneOf.includes(value as string) ? value : doubt(walk, 'unreadable-content');
  }
  if ('either' in shape) {
    const fits = shape.either.find((option) => fitsShape(value, option));
    return fits === undefined ? doubt(walk, 'unreadable-content') : rewrite(walk, value, fits, depth);
  }
  if ('list' in shape) {
    if (!Array.isArray(value)) return doubt(walk, 'unreadable-content');
    return value.map((item) => rewrite(walk, item, shape.list, depth + 1));
  }
  return rewriteObject(walk, value, shape, depth);
}

function fitsShape(value: unknown, shape: Shape): boolean {
  if (shape === 'parts') return Array.isArray(value);
  if (typeof shape === 'string' || 'oneOf' in shape) return typeof value === 'string';
  return 'list' in shape ? Array.isArray(value) : isPlainObject(value);
}

function rewriteObject(walk: Walk, value: unknown, shape: ObjectShape, depth: number): unknown {
  if (!isPlainObject(value)) return doubt(walk, 'unreadable-content');
  const rebuilt: Record<string, unknown> = {};
  const outer = walk.origin;
  for (const [key, child] of Object.entries(value)) {
    const childShape = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    if (childShape === undefined) {
      if (child !== undefined) doubt(walk, 'unknown-field');
      continue;
    }
    if (shape === REQUEST) walk.origin = ORIGIN_BY_KEY[key] ?? 'metadata';
    if (shape === MESSAGE) walk.origin = ORIGIN_BY_ROLE[String(value.role)] ?? 'metadata';
    rebuilt[key] = rewrite(walk, child, childShape, depth + 1);
  }
  walk.origin = outer;
  return rebuilt;
}

/** Tiers send the parts of a message joined, so they are looked at joined: a value may lie over two of them. */
function rewriteParts(walk: Walk, value: unknown): unknown {
  const texts: string[] = [];
  for (const part of value as readonly unknown[]) {
    if (!isPlainObject(part) || typeof part.text !== 'string') return doubt(walk, 'unreadable-content');
    if (Object.keys(part).some((key) => key !== 'type' && key !== 'text'))
      return doubt(walk, 'unknown-field');
    if (part.type !== 'text') return doubt(walk, 'unreadable-content');
    texts.push(part.text);
  }
  if (texts.length === 0) return [];
  let length = 0;
  const joints = texts.slice(0, -1).map((text) => {
    length += text.length;
    return length;
  });
  return [{ type: 'text', text: visit(walk, texts.join(''), 'text', { flows: true, joints }) }];
}

/** Keys are texts too, and long numbers are looked at as text: a card number needs no quotes. */
function rewriteJson(walk: Walk, value: unknown, depth: number, label?: string): unknown {
  if (depth > MAX_DEPTH || walk.fields > MAX_FIELDS) return doubt(walk, 'too-large');
  if (typeof value === 'string') return visit(walk, value, 'text', { label });
  if (typeof value === 'number') return rewriteScalar(walk, value, label);
  if (typeof value === 'boolean' || value === null || value === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => rewriteJson(walk, item, depth + 1, label));
  if (!isPlainObject(value)) return doubt(walk, 'unreadable-content');
  const entries = Object.entries(value).map(([key, child]) => [
    visit(walk, key, 'text'),
    rewriteJson(walk, child, depth + 1, SCHEMA_VALUES.has(key) ? label : key),
  ]);
  return Object.fromEntries(entries);
}

function rewriteScalar(walk: Walk, value: unknown, label?: string): unknown {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'number' || !Number.isFinite(value)) return doubt(walk, 'unreadable-content');
  const text = String(value);
  const replaced = visit(walk, text, 'text', { label });
  return replaced === text ? value : replaced;
}

function isCount(value: unknown): value is number | boolean {
  return typeof value === 'boolean' || (typeof value === 'number' && value >= 0);
}

function visit(
  walk: Walk,
  text: string,
  kind: FieldKind,
  more: Pick<Field, 'label' | 'flows' | 'joints'> = {},
): string {
  walk.fields += 1;
  return walk.replace({ text, kind, origin: walk.origin, ...more });
}

function doubt(walk: Walk, why: Uncertainty): undefined {
  walk.uncertain ??= why;
  return undefined;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
