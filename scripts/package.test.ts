// What `npm pack` would hold: every subpath of package.json leads to a file that is in it.
import { existsSync, readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Package {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
}

const ROOT = new URL('../', import.meta.url);
const { exports, files }: Package = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));

/** package.json itself is always packed. */
const isPacked = (path: string): boolean =>
  path === 'package.json' || files.some((entry) => path.startsWith(`${entry}/`) || matchesGlob(path, entry));

describe('the package', () => {
  it.each(Object.entries(exports))('holds what %s leads to', (_, target) => {
    if (typeof target === 'string') {
      expect(isPacked(target.slice(2))).toBe(true);
      return;
    }
    const source = target['nearfield-source'];
    if (source === undefined) {
      for (const path of Object.values(target)) {
        expect(existsSync(new URL(path, ROOT))).toBe(true);
        expect(isPacked(path.slice(2))).toBe(true);
      }
      return;
    }
    expect(existsSync(new URL(source, ROOT))).toBe(true);
    // The build lays a file out as its source lies.
    expect(target.default).toBe(source.replace('./', './dist/').replace(/\.ts$/, '.js'));
    expect(target.types).toBe(source.replace('./', './dist/').replace(/\.ts$/, '.d.ts'));
    expect(isPacked(target.default?.slice(2) ?? '')).toBe(true);
  });
});
