import { expect, it } from 'vitest';
import { allowsFallback, fromWireError, NearfieldError, toWireError } from './errors.ts';

it('cross a worker with all that a caller or the router goes by', () => {
  const elsewhere = new NearfieldError('invalid-request', 'Not here.', { param: 'stop', elsewhere: true });
  const crossed = fromWireError(structuredClone(toWireError(elsewhere)));
  expect(crossed).toMatchObject({ code: 'invalid-request', param: 'stop', elsewhere: true });
  expect(allowsFallback(crossed)).toBe(true);
  const atFault = fromWireError(structuredClone(toWireError(new NearfieldError('invalid-request', 'No.'))));
  expect(atFault).toMatchObject({ code: 'invalid-request', elsewhere: false });
  expect(allowsFallback(atFault)).toBe(false);
});

it.each(['egress-denied', 'redaction-failed', 'policy-failed'] as const)(
  'let no other tier be asked after %s, even where one says that it may',
  (code) => {
    const error = new NearfieldError(code, 'No.', { elsewhere: true });
    expect([error.elsewhere, allowsFallback(error)]).toEqual([false, false]);
    const crossed = fromWireError({ ...toWireError(error), elsewhere: true });
    expect(allowsFallback(crossed)).toBe(false);
  },
);
