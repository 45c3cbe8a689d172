// `npm run models -- <name>`: runs one file of scripts/models.
import { runFolder } from './cli.ts';

await runFolder('models', new URL('./models/', import.meta.url), process.argv.slice(2));
