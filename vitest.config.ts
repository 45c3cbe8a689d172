// Tests lie beside the code. `*.chromium.test.ts` and `*.workerd.test.ts` drive the real browser and
// the real workerd from Node, so they need longer and run after the rest, one file at a time.
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const slow = ['**/*.chromium.test.ts', '**/*.workerd.test.ts', '**/*.e2e.test.ts'];
const shared = { resolve: { conditions: ['nearfield-source', 'node', 'default'] } };
/** A second, vitest's own limit, is short on two busy cores; a poll that succeeds waits no longer for it. */
const patient = { expect: { poll: { timeout: 15_000 } } };
const config: ViteUserConfig = defineConfig({
  test: {
    reporters: ['default', './scripts/testing/count-reporter.ts'],
    projects: [
      {
        ...shared,
        ssr: { resolve: { conditions: ['nearfield-source', 'node', 'default'] } },
        test: {
          ...patient,
          name: 'unit',
          include: ['{runtime,edge-worker,web-demo,scripts}/**/*.test.ts'],
          exclude: [...slow, '**/node_modules/**', 'dist/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        ssr: { resolve: { conditions: ['nearfield-source', 'node', 'default'] } },
        test: {
          ...patient,
          name: 'real',
          globalSetup: ['./scripts/testing/require-chromium.ts'],
          include: slow,
          exclude: ['**/node_modules/**', 'dist/**'],
          // A software GPU takes half a minute for what a machine three times slower must end as well.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
export default config;
