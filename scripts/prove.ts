// `npm run prove -- <name>`: runs one file of scripts/prove; exits 1 when a promise does not hold.
import { runFolder } from './cli.ts';

await runFolder('prove', new URL('./prove/', import.meta.url), process.argv.slice(2));
