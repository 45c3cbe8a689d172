// `npm run bench -- <name>`: runs one file of scripts/bench.
import { runFolder } from './cli.ts';

await runFolder('bench', new URL('./bench/', import.meta.url), process.argv.slice(2));
