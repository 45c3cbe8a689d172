// What docs/generation.md says of schemas is so: each keyword it lists is kept to, each it does not list is refused.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createDecodeLoop } from '../decode-loop.ts';
import { createBookDecoder, hashedLogits } from '../fixtures/decoder-book.ts';
import { tinyTokenizerJson } from '../fixtures/tiny-tokenizer.ts';
import { createSampler } from '../sampler.ts';
import { createVocabulary } from '../vocabulary.ts';
import { createGrammars } from './grammars.ts';

const vocabulary = createVocabulary(tinyTokenizerJson());
const endIds = new Set([vocabulary.idOf('<|im_end|>')!]);
const grammars = createGrammars({ vocabulary, endIds, vocab: vocabulary.size });
const ajv = new Ajv2020({ strict: false, validateFormats: false });

function accepts(schema: unknown, value: unknown): boolean {
  const grammar = grammars.json(schema, 'schema');
  // In the grammar's own spelling: a blank after colons and commas outside of strings.
  const text = JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"|[:,]/g, (at) =>
    at.length > 1 ? at : `${at} `,
  );
  const state = grammar.nextText(grammar.start, text);
  return state !== undefined && grammar.closing(state).length === 0;
}

/** What a model that knows nothing says, held by the schema. */
async function babble(schema: unknown, seed: number, maxTokens = 120): Promise<unknown> {
  const decoder = createBookDecoder(
    { vocab: vocabulary.size, context: 5000 },
    hashedLogits(vocabulary.size, seed),
  );
  const sequence = decoder.open();
  const loop = createDecodeLoop({
    sequence,
    prompt: [3],
    forward: async (tokens, logits) => (await decoder.forward([{ sequence, tokens, logits }]))[0]!,
    vocab: decoder.vocab,
    maxTokens,
    sampler: createSampler({ seed, temperature: 1 }),
    endIds,
    grammar: grammars.json(schema, 'schema'),
    now: () => 0,
  });
  const bytes: number[] = [];
  for await (const { id } of loop.tokens) bytes.push(...vocabulary.bytesOf(id)!);
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes)));
}

/** A schema that uses the keyword, a value it takes and one that only the keyword forbids. */
const KEPT: Readonly<Record<string, readonly [schema: object, right: unknown, wrong: unknown]>> = {
  type: [{ type: 'integer' }, 1, 'a'],
  nullable: [{ type: 'string', nullable: true }, null, 1],
  enum: [{ enum: ['a', 2, null] }, 2, 3],
  const: [{ const: { a: [1] } }, { a: [1] }, { a: [2] }],
  properties: [{ properties: { a: { type: 'integer' } } }, { a: 1 }, { a: 'x' }],
  required: [{ properties: { a: true }, required: ['a'] }, { a: 1 }, {}],
  additionalProperties: [{ type: 'object', additionalProperties: { type: 'null' } }, { b: null }, { b: 1 }],
  propertyNames: [{ type: 'object', propertyNames: { pattern: '^x' } }, { xy: 1 }, { yx: 1 }],
  minProperties: [{ properties: { a: true, b: true }, minProperties: 1 }, { b: 1 }, {}],
  maxProperties: [{ properties: { a: true, b: true }, maxProperties: 1 }, { a: 1 }, { a: 1, b: 1 }],
  items: [{ items: { type: 'null' } }, [null], [1]],
  prefixItems: [{ prefixItems: [{ type: 'null' }], items: false }, [null], [1]],
  minItems: [{ type: 'array', minItems: 1 }, [1], []],
  maxItems: [{ type: 'array', maxItems: 1 }, [1], [1, 2]],
  minLength: [{ type: 'string', minLength: 2 }, 'ab', 'a'],
  maxLength: [{ type: 'string', maxLength: 2 }, '😀b', 'abc'],
  pattern: [{ type: 'string', pattern: '^(?!b)[ab]+$' }, 'ab', 'ba'],
  format: [{ type: 'string', format: 'date' }, '2024-02-03', '2024-02-31'],
  minimum: [{ type: 'number', minimum: 2 }, 2, 1.5],
  maximum: [{ type: 'number', maximum: 2 }, 2, 2.5],
  exclusiveMinimum: [{ type: 'number', exclusiveMinimum: 2 }, 2.5, 2],
  exclusiveMaximum: [{ type: 'number', exclusiveMaximum: 2 }, 1.5, 2],
  multipleOf: [{ type: 'integer', multipleOf: 3 }, 9, 10],
  anyOf: [{ anyOf: [{ type: 'null' }, { type: 'integer' }] }, 1, 'a'],
  oneOf: [{ oneOf: [{ type: 'null' }, { type: 'integer' }] }, null, 'a'],
  allOf: [{ type: 'integer', allOf: [{ minimum: 2 }, { maximum: 3 }] }, 3, 4],
  $ref: [{ $ref: '#/$defs/a', $defs: { a: { type: 'null' } } }, null, 1],
};

/** Keywords of JSON Schema 2020-12 and of its drafts before that ask something of a value, and are not kept. */
const REFUSED: Readonly<Record<string, unknown>> = {
  not: { type: 'null' },
  if: { type: 'string' },
  // biome-ignore lint/suspicious/noThenProperty: the keyword's own name
  then: { minLength: 1 },
  else: { minLength: 1 },
  patternProperties: { '^x': { type: 'null' } },
  dependentRequired: { a: ['b'] },
  dependentSchemas: { a: {} },
  dependencies: { a: ['b'] },
  contains: { type: 'null' },
  minContains: 1,
  maxContains: 1,
  uniqueItems: true,
  additionalItems: false,
  unevaluatedItems: false,
  unevaluatedProperties: false,
  $dynamicRef: '#a',
  $recursiveRef: '#',
};

/** Backticked words of the paragraph of docs/generation.md that begins so. */
function listed(start: string): readonly string[] {
  const page = readFileSync(new URL('../../../../docs/generation.md', import.meta.url), 'utf8');
  const from = page.indexOf(start);
  expect(from, start).toBeGreaterThan(0);
  const paragraph = page.slice(from, page.indexOf('\n- ', from + 2));
  return [...paragraph.matchAll(/`([$\w-]+)`/g)].map(([, word]) => word!);
}

describe('docs/generation.md', () => {
  it('lists the keywords that are kept to, and those that are refused', () => {
    expect([...listed('- Kept to:')].sort()).toEqual(Object.keys(KEPT).sort());
    expect([...listed('- Refused,')].sort()).toEqual(Object.keys(REFUSED).sort());
  });

  it.each(Object.entries(KEPT))('keeps to %s', async (keyword, [schema, right, wrong]) => {
    expect(accepts(schema, right), 'right').toBe(true);
    expect(accepts(schema, wrong), 'wrong').toBe(false);
    expect(ajv.validate(schema, right)).toBe(true);
    if (keyword !== 'format') expect(ajv.validate(schema, wrong)).toBe(false);
    for (let seed = 1; seed <= 10; seed += 1) {
      const said = await babble(schema, seed);
      expect(ajv.validate(schema, said), JSON.stringify(said)).toBe(true);
    }
  });

  it.each(Object.entries(REFUSED))('refuses %s by name', (keyword, value) => {
    for (const schema of [{ [keyword]: value }, { properties: { a: { [keyword]: value } } }]) {
      expect(() => grammars.json(schema, 'schema')).toThrow(
        expect.objectContaining({
          code: 'invalid-request',
          message: expect.stringContaining(`keyword ${keyword} is not supported`),
        }),
      );
    }
  });

  it('lists the formats that are kept to', () => {
    const known = listed('- Formats:');
    expect(known.length).toBeGreaterThan(15);
    for (const format of known) {
      const type = /int|float|double/.test(format) ? 'number' : 'string';
      expect(() => grammars.json({ type, format }, 'schema'), format).not.toThrow();
    }
    expect(() => grammars.json({ type: 'string', format: 'regex' }, 'schema')).toThrow('format regex');
  });
});

describe('patterns', () => {
  it('of several kinds at once take what all of them take', () => {
    const parts = ['^(?!.*aa)[ab]*$', '^(?=.*b)', 'ab', '^[^b]', '^(?!b|$)', '^.{1,4}$', '^(?=a(b|a))'];
    const words = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
    fc.assert(
      fc.property(fc.subarray(parts, { minLength: 1, maxLength: 3 }), words, (chosen, word) => {
        const schema = { type: 'string', allOf: chosen.map((pattern) => ({ pattern })) };
        const expected = chosen.every((pattern) => new RegExp(pattern, 'u').test(word));
        let taken: boolean;
        try {
          taken = accepts(schema, word);
        } catch (error) {
          // Only where nothing at all can be said.
          expect(String(error)).toContain('no value satisfies');
          taken = false;
        }
        expect(taken).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('that are too large together are refused in time', () => {
    const begun = performance.now();
    const large = ['^(a{0,70}b?){0,50}$', '^(b?a{0,60}){0,60}$'].map((pattern) => ({ pattern }));
    expect(() => grammars.json({ type: 'string', allOf: large }, 'schema')).toThrow('too large together');
    const left = { type: 'string', pattern: `^(?!(a|b)*a(a|b){18})x` };
    expect(() => grammars.json(left, 'schema')).toThrow('states');
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it.each(['a(?=b)', '^(?!a)b|c', '(?<=a)b', '^(?!((a)(b(c))))x'])(
    'refuses the lookaround of %s',
    (pattern) => {
      expect(() => grammars.json({ type: 'string', pattern }, 'schema')).toThrow('lookaround');
    },
  );
});

describe('what zod writes', () => {
  const shapes: Readonly<Record<string, z.ZodType>> = {
    email: z.email(),
    uuid: z.uuid(),
    datetime: z.iso.datetime(),
    date: z.iso.date(),
    url: z.url(),
    ipv4: z.ipv4(),
    base64: z.base64(),
    ulid: z.ulid(),
    int: z.int(),
    int32: z.int32(),
    record: z.record(z.string(), z.number().int()),
    words: z.record(z.enum(['a', 'b']), z.boolean()),
    union: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), n: z.number().positive() }),
      z.object({ kind: z.literal('b'), tags: z.array(z.string().max(5)).max(3) }),
    ]),
    tuple: z.tuple([z.string().max(4), z.nullable(z.boolean())]),
  };

  it.each(Object.entries(shapes))('for %s is kept to', async (_name, shape) => {
    const schema = z.toJSONSchema(shape);
    for (let seed = 1; seed <= 12; seed += 1) {
      const said = await babble(schema, seed, 150);
      expect(shape.safeParse(said).success, `${JSON.stringify(schema)} ${JSON.stringify(said)}`).toBe(true);
    }
  });
});
