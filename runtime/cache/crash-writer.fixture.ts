// The child of crash.test.ts: writes entries to a libSQL file for ever, and says the number of each once
// the store has said it is kept. Killed in the middle.
import { openLibsqlCacheStore } from './libsql.ts';
import { sampleEntry } from './store.contract.ts';

const [url = '', from = '0'] = process.argv.slice(2);
const store = await openLibsqlCacheStore({ url });
for (let at = Number(from); ; at += 1) {
  const answer = JSON.stringify({ text: `${at} `.repeat(2_000) });
  const remove = at % 10 === 9 ? [sampleEntry(at - 5).id] : [];
  await store.apply({ put: [sampleEntry(at, { answer })], remove, meta: { last: String(at) } });
  process.stdout.write(`${at}\n`);
}
