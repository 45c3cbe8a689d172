// One Vite config: the demo page (web-demo/) is its root; the runtime is imported from source through
// the package's own subpaths.
import { defineConfig, type UserConfig } from 'vite';

const config: UserConfig = defineConfig({
  root: 'web-demo',
  resolve: { conditions: ['nearfield-source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  build: { target: 'es2023', outDir: '../dist/web-demo', emptyOutDir: true },
});
export default config;
