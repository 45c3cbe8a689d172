import { describe, expect, it } from 'vitest';
import { DISGUISES } from '../../../runtime/policy/canaries.fixture.ts';
import { canBeRead, createScanner, formsOf } from './scan.ts';

const EMAIL = 'ana.k7@clinic.example';

describe('the search', () => {
  it('finds every form of a value in the middle of other bytes, and none where there is none', () => {
    for (const [form, name] of formsOf(EMAIL)) {
      const scanner = createScanner();
      scanner.add(EMAIL);
      const bytes = Buffer.from(`\0{"q":"${form}"}\xff`, 'latin1');
      expect(scanner.scan(bytes), name).toHaveLength(1);
    }
    const scanner = createScanner();
    scanner.add(EMAIL);
    expect(scanner.scan(Buffer.from('Write to [EMAIL_1_k7qx] about base64 YW5h'))).toEqual([]);
  });

  it('finds a value at each of the three places base64 can cut it', () => {
    const scanner = createScanner();
    scanner.add(EMAIL);
    for (const lead of ['', 'x', 'xy', 'xyz']) {
      const bytes = Buffer.from(Buffer.from(`${lead}${EMAIL}!`).toString('base64'));
      expect(scanner.scan(bytes), lead).toHaveLength(1);
    }
  });

  it('tells many values apart in one pass, at the very start and end too', () => {
    const scanner = createScanner();
    const values = Array.from({ length: 300 }, (_, n) => `person-${n}-q@mail.example`);
    for (const value of values) scanner.add(value);
    const hits = scanner.scan(Buffer.from(`${values[3]} and ${values[250]}`));
    expect(hits.map(({ value }) => value)).toEqual([values[3], values[250]]);
  });
});

describe('what a reader could make out', () => {
  it('sees through whatever keeps its letters in order', () => {
    const unseen = DISGUISES.filter(
      ({ group, wear }) =>
        group === 'unicode' && canBeRead(Buffer.from(wear(EMAIL)), EMAIL, [wear(EMAIL)]) === undefined,
    );
    // Without a letter left there is only the exact form to find, as the first way does.
    expect(unseen.map(({ name }) => name)).toEqual(['tag characters']);
    expect(canBeRead(Buffer.from('4 1 1 1-1111 1111.1111'), '4111111111111111')).toBe('readable');
    expect(canBeRead(Buffer.from('********11111111'), '4111111111111111')).toBe('last half readable');
  });

  it('sees nothing in a placeholder', () => {
    expect(canBeRead(Buffer.from('Write to [EMAIL_1_k7qx].'), EMAIL)).toBeUndefined();
  });
});
