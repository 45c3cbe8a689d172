import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuMs } from '../../../../scripts/testing/cpu-time.ts';
import { babble, grammars } from '../fixtures/babble.ts';
import { drawnSchema, HAND_WRITTEN } from '../fixtures/schemas.ts';
import { vocabulary } from '../fixtures/tiny-generator.ts';
import { maskAllows } from '../sampler.ts';

const isDate = (text: string) => {
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.slice(0, 10));
};
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat('date', (text) => isDate(text) && text.length === 10);
ajv.addFormat(
  'date-time',
  (text) => isDate(text.slice(0, 10)) && !Number.isNaN(Date.parse(text.replace(/\.\d+/, ''))),
);
ajv.addFormat('time', (text) => !Number.isNaN(Date.parse(`2020-01-01T${text}`)));
ajv.addFormat('duration', /^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/);
ajv.addFormat('email', /^[^\s@.][^\s@]*[^\s@.]@[^\s@.]+(\.[^\s@.]+)+$|^[^\s@.]@[^\s@.]+(\.[^\s@.]+)+$/);
ajv.addFormat('uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
ajv.addFormat(
  'ipv4',
  (text) => text.split('.').length === 4 && text.split('.').every((part) => Number(part) < 256),
);
ajv.addFormat('ipv6', (text) => URL.canParse(`http://[${text}]/`));
ajv.addFormat('uri', (text) => URL.canParse(text));
ajv.addFormat('hostname', (text) => URL.canParse(`http://${text}/`));

/** What can be made of the text so far, as bytes one by one. */
function accepts(schema: unknown, text: string): boolean {
  const grammar = grammars.json(schema, 'schema');
  const state = grammar.nextText(grammar.start, text);
  return state !== undefined && grammar.closing(state).length === 0;
}

const drawnSchemas = Array.from({ length: 200 }, (_, at) => drawnSchema(at + 1));

describe('a model that knows nothing', () => {
  it.each([...HAND_WRITTEN, ...drawnSchemas].map((schema) => [JSON.stringify(schema), schema] as const))(
    'says only what satisfies %s',
    async (_, schema) => {
      const validate = ajv.compile(schema);
      for (const [seed, budget] of [
        [1, 60],
        [2, 25],
        [3, 120],
      ] as const) {
        const { text, needed } = await babble(schema, seed, Math.max(budget, 1));
        // Too small a budget for any value: the only case in which it is cut.
        if (needed > budget) continue;
        const value: unknown = JSON.parse(text);
        expect(validate(value), `${text} ${ajv.errorsText(validate.errors)}`).toBe(true);
      }
    },
  );

  it('is at least 200 schemas', () => {
    expect(
      new Set([...HAND_WRITTEN, ...drawnSchemas].map((schema) => JSON.stringify(schema))).size,
    ).toBeGreaterThan(200);
  });

  it('ends within any budget that holds the shortest value', async () => {
    const schema = HAND_WRITTEN[1]!;
    const validate = ajv.compile(schema);
    const { needed } = await babble(schema, 1, 500);
    for (let budget = needed; budget < needed + 40; budget += 1) {
      const { text } = await babble(schema, budget, budget);
      expect(validate(JSON.parse(text)), text).toBe(true);
    }
    expect((await babble(schema, 1, needed - 1)).finishReason).toBe('length');
  });
});

describe('json', () => {
  it('takes every value of a schema that people would write, in this form', () => {
    const person = HAND_WRITTEN[0]!;
    expect(accepts(person, '{"name": "Zoë \\"Z\\" \\u00e9 😀", "age": 42}')).toBe(true);
    expect(accepts(person, '{"name": "x", "age": 131}')).toBe(false);
    expect(accepts(person, '{"age": 4, "name": "x"}')).toBe(false);
    expect(accepts(person, '{"name": "x"}')).toBe(false);
    expect(accepts({}, '[1, -2.5e10, {"a": [null, true]}, "\\n"]')).toBe(true);
  });

  it('takes a number exactly when it is within the bounds', () => {
    const bound = fc.integer({ min: -2000, max: 2000 }).map((n) => n / 8);
    fc.assert(
      fc.property(bound, bound, fc.boolean(), fc.integer({ min: -2500, max: 2500 }), (a, b, exclusive, n) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        const schema = exclusive
          ? { type: 'number', exclusiveMinimum: low, maximum: high + 1 }
          : { type: 'number', minimum: low, exclusiveMaximum: high + 1 };
        const value = n / 8;
        expect(accepts(schema, String(value))).toBe(ajv.validate(schema, value));
        const integers = { ...schema, type: 'integer' };
        expect(accepts(integers, String(n))).toBe(ajv.validate(integers, n));
      }),
      { numRuns: 200 },
    );
  });

  it('takes a string exactly when length and pattern allow it', () => {
    const patterns = ['^[ab]+$', 'a.b', '^(a|bb){2,3}$', '^[^b]*b?$', 'é|😀', '^\\S{2}\\s?$'];
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', ' ', '"', '\\'), maxLength: 6 });
    fc.assert(
      fc.property(
        fc.constantFrom(...patterns),
        fc.nat({ max: 3 }),
        fc.nat({ max: 3 }),
        letters,
        (pattern, min, more, word) => {
          const schema = { type: 'string', pattern, minLength: min, maxLength: min + more };
          if (!possible(schema)) return;
          expect(accepts(schema, JSON.stringify(word))).toBe(ajv.validate(schema, word));
          const lengths = { type: 'string', minLength: min, maxLength: min + more };
          expect(accepts(lengths, JSON.stringify(word))).toBe(ajv.validate(lengths, word));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('takes UTF-8 and nothing that only looks like it', () => {
    const grammar = grammars.json({ type: 'string' }, 'schema');
    const byte = new Map<number, number>();
    for (let id = 0; id < vocabulary.size; id += 1) {
      const bytes = vocabulary.bytesOf(id);
      if (bytes?.length === 1) byte.set(bytes[0]!, id);
    }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 6 }), (body) => {
        const given = [0x22, ...body.filter((b) => b !== 0x22 && b !== 0x5c), 0x22];
        let state: number | undefined = grammar.start;
        for (const b of given) state = state === undefined ? undefined : grammar.next(state, byte.get(b)!);
        let wellFormed = true;
        try {
          new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(given));
        } catch {
          wellFormed = false;
        }
        expect(state !== undefined).toBe(wellFormed);
      }),
      { numRuns: 1000 },
    );
  });

  it('masks exactly the tokens that may follow', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', minLength: 2, maxLength: 30 } },
      required: ['a'],
    };
    const grammar = grammars.json(schema, 'schema');
    for (const text of ['', '{', '{"a": "', '{"a": "x', '{"a": "xy', '{"a": "xyzxyzxyz', '{"a": "xy"']) {
      const state = grammar.nextText(grammar.start, text)!;
      const mask = grammar.mask(state);
      for (let id = 0; id < vocabulary.size; id += 1) {
        const allowed = grammar.next(state, id) !== undefined;
        expect(maskAllows(mask, id), `${text} then ${id}`).toBe(allowed);
      }
    }
  });

  it.each([
    [{ type: 'object', not: {} }, 'schema: keyword not is not supported'],
    [{ properties: { a: { contains: {} } } }, 'schema.properties.a: keyword contains is not supported'],
    [{ type: 'array', uniqueItems: true }, 'schema: keyword uniqueItems is not supported'],
    [{ type: 'string', format: 'iri' }, 'schema.format: format iri is not supported'],
    [{ type: 'string', pattern: '(?=a)b' }, 'lookaround'],
    [{ type: 'string', pattern: '\\bword' }, '\\b'],
    [{ $ref: 'https://example.com/x' }, 'not within this schema'],
    [{ $ref: '#/$defs/none' }, 'leads nowhere'],
    [{ $ref: '#' }, 'leads back to itself'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'may both hold'],
    [{ type: 'number', multipleOf: 0.1 }, 'whole numbers'],
    [{ type: 'integer', minimum: 5, maximum: 4 }, 'no value satisfies'],
    [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, 'no value satisfies'],
    [{ type: 'string', minLength: 5, pattern: '^a{1,4}$' }, 'no value satisfies'],
    [{ type: 'object', required: ['a'], additionalProperties: false }, 'no value satisfies'],
    [{ type: 'colour' }, 'type colour is not known'],
    [{ items: { dependentRequired: {} } }, 'schema.items: keyword dependentRequired'],
  ])('refuses %j, naming what it is', (schema, message) => {
    expect(() => grammars.json(schema, 'schema')).toThrow(message);
    expect(() => grammars.json(schema, 'schema')).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
  });

  it('is ready in time for many references', () => {
    const names = Array.from({ length: 12 }, (_, at) => `n${at}`);
    const all = { anyOf: [...names.map((name) => ({ $ref: `#/$defs/${name}` })), { type: 'null' }] };
    const $defs = Object.fromEntries(
      names.map((name) => [
        name,
        {
          type: 'object',
          properties: { kind: { const: name }, a: { $ref: '#/$defs/all' }, b: { $ref: '#/$defs/all' } },
          required: ['kind', 'a', 'b'],
        },
      ]),
    );
    const begun = cpuMs();
    grammars.json({ $ref: '#/$defs/all', $defs: { ...$defs, all } }, 'schema');
    expect(cpuMs() - begun).toBeLessThan(2000);
  });

  function possible(schema: unknown): boolean {
    try {
      grammars.json(schema, 'schema');
      return true;
    } catch {
      return false;
    }
  }
});
