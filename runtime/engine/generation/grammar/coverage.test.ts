// What docs/generation.md says of schemas is so: each keyword it lists is kept to, each it does not list is refused.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { cpuMs } from '../../../../scripts/testing/cpu-time.ts';
import { babble, grammars } from '../fixtures/babble.ts';
import { KEPT, REFUSED, REFUSED_OLD } from '../fixtures/schema-coverage.ts';

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
    expect([...listed('- Refused,')].sort()).toEqual([...Object.keys(REFUSED), ...REFUSED_OLD].sort());
  });

  it.each(Object.entries(KEPT))('keeps to %s', async (keyword, [schema, right, wrong]) => {
    expect(accepts(schema, right), 'right').toBe(true);
    expect(accepts(schema, wrong), 'wrong').toBe(false);
    expect(ajv.validate(schema, right)).toBe(true);
    if (keyword !== 'format') expect(ajv.validate(schema, wrong)).toBe(false);
    for (let seed = 1; seed <= 10; seed += 1) {
      const said: unknown = JSON.parse((await babble(schema, seed, 120)).text);
      expect(ajv.validate(schema, said), JSON.stringify(said)).toBe(true);
    }
  });

  it.each(Object.entries(REFUSED))('refuses %s by name', (keyword, [asked, right, wrong]) => {
    expect(ajv.validate(asked, right), 'right').toBe(true);
    expect(ajv.validate(asked, wrong), 'wrong').toBe(false);
    for (const schema of [asked, { properties: { a: asked } }]) {
      expect(() => grammars.json(schema, 'schema')).toThrow(
        expect.objectContaining({
          code: 'invalid-request',
          message: expect.stringMatching(`keyword (${keyword}|if|contains) is not supported`),
        }),
      );
    }
  });

  it.each(REFUSED_OLD)('refuses %s by name', (keyword) => {
    expect(() => grammars.json({ [keyword]: {} }, 'schema')).toThrow(`keyword ${keyword} is not supported`);
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
    const begun = cpuMs();
    const large = ['^(a{0,70}b?){0,50}$', '^(b?a{0,60}){0,60}$'].map((pattern) => ({ pattern }));
    expect(() => grammars.json({ type: 'string', allOf: large }, 'schema')).toThrow('too large together');
    const left = { type: 'string', pattern: `^(?!(a|b)*a(a|b){18})x` };
    expect(() => grammars.json(left, 'schema')).toThrow('states');
    expect(cpuMs() - begun).toBeLessThan(5000);
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
      const said: unknown = JSON.parse((await babble(schema, seed, 150)).text);
      expect(shape.safeParse(said).success, `${JSON.stringify(schema)} ${JSON.stringify(said)}`).toBe(true);
    }
  });
});
