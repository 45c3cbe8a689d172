// The child of crash.test.ts: writes entries to a libSQL file for ever, and says the number of each write once
// the store has said it is kept. Killed in the middle. Many entries a write, and blocks are sealed all the time.
import { openLibsqlCacheStore } from './libsql.ts';
import { sampleEntry } from './store.contract.ts';

const [url = '', from = '0', entries = '1'] = process.argv.slice(2);
const size = Number(entries);
const store = await openLibsqlCacheStore({ url });
for (let at = Number(from); ; at += 1) {
  const answer = JSON.stringify({ text: `${at} `.repeat(2_000 / size) });
  const remove = at % 10 === 9 ? [sampleEntry((at - 5) * size).id] : [];
  const put = Array.from({ length: size }, (_, each) => sampleEntry(at * size + each, { answer }));
  await store.apply({ put, remove, meta: { last: String(at) } });
  process.stdout.write(`${at}\n`);
}
