// `npm run eval -- <name>`: runs one file of scripts/eval.
import { runFolder } from './cli.ts';

await runFolder('eval', new URL('./eval/', import.meta.url), process.argv.slice(2));
