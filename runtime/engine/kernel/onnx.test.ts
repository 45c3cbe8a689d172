import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readInitializers } from './onnx.ts';
import { writeOnnx } from './random-model.ts';

it('gives back what was written, as views of the file', () => {
  const tensor = fc.record({
    name: fc.string({ minLength: 1, maxLength: 40 }),
    dims: fc.array(fc.integer({ min: 1, max: 1 << 20 }), { maxLength: 4 }),
    type: fc.constantFrom(1, 2, 7),
    bytes: fc.uint8Array({ maxLength: 300 }),
  });
  const tensors = fc.uniqueArray(tensor, { minLength: 1, maxLength: 6, selector: ({ name }) => name });
  fc.assert(
    fc.property(tensors, (written) => {
      const file = writeOnnx(written);
      const read = readInitializers(file);
      expect([...read].map(([name, found]) => ({ ...found, name, bytes: [...found.bytes] }))).toEqual(
        written.map(({ name, dims, type, bytes }) => ({ name, dims, type, bytes: [...bytes] })),
      );
      for (const { bytes } of read.values()) expect(bytes.buffer).toBe(file.buffer);
    }),
  );
});

const whole = writeOnnx([{ name: 'w', dims: [2], type: 2, bytes: Uint8Array.of(1, 2) }]);

it.each([
  ['nothing', new Uint8Array(0)],
  ['text', new TextEncoder().encode('<html>not found</html>')],
  ['a cut file', whole.subarray(0, -1)],
  ['an endless number', new Uint8Array(20).fill(255)],
])('refuses %s', (_, bytes) => {
  expect(() => readInitializers(bytes)).toThrow(expect.objectContaining({ code: 'model-load-failed' }));
});
