// Owns encryption at rest over any store: questions, tags, vectors, answers and meta values go in as AES-GCM, bound
// to their place. Refuses nothing: what cannot be decrypted is dropped from the store and counts as never kept.
// Changes are made whole and in the order they were asked for, however long each takes to encrypt.
// In the clear stay ids, scope and context hashes (all keyed hashes), times, counts and sizes.
import { NearfieldError } from '../errors.ts';
import { createSerial } from './serial.ts';
import { allPages, type CacheStore, type EntryHead, type StoreChange, type StoredEntry } from './store.ts';

/** Keys by epoch. The keys may be non-extractable. */
export interface CacheKeys {
  /** Encrypts from now on. */
  current(): { readonly epoch: number; readonly key: CryptoKey };
  /** A key that is still kept; looks again where it knows none, as another tab may have made it. */
  find(epoch: number): Promise<CryptoKey | undefined>;
  /** Makes a new key the current one; the ones before stay until `retire`. */
  rotate(): Promise<void>;
  /** Forgets all keys but the current one. */
  retire(): Promise<void>;
  /** Forgets every key, which makes all that was encrypted unreadable at once, and makes a new one. */
  shred(): Promise<void>;
}

export interface EncryptedCacheStore extends CacheStore {
  /** Encrypts everything anew under a new key, then forgets the old. Returns entries rewritten. */
  rotate(): Promise<number>;
  /** Forgets the keys first, so that copies of the data are worth nothing, then removes the data. */
  shred(): Promise<void>;
}

interface Page {
  /** The last id on it, readable or not; undefined at the end. */
  readonly last: string | undefined;
  readonly readable: readonly EntryHead[];
  readonly lost: readonly string[];
}

const IV_BYTES = 12;
const EPOCH_BYTES = 4;
const META_VALUE = 'e1:';

/** The store behind encryption. Close it, not the inner one. */
export function encryptStore(inner: CacheStore, keys: CacheKeys): EncryptedCacheStore {
  // What changes the store does so in here, keys included: a change encrypted under a key that a rotation has
  // forgotten meanwhile, or an entry removed while a rotation rewrites it, would be lost or come back.
  const serial = createSerial();
  /** How often all was shredded: what was read before must not be written after, under a key that is there to stay. */
  let shreds = 0;

  async function seal(place: string, plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const { epoch, key } = keys.current();
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const sealed = await crypto.subtle.encrypt(gcm(iv, place), key, plain);
    const bytes = new Uint8Array(EPOCH_BYTES + IV_BYTES + sealed.byteLength);
    new DataView(bytes.buffer).setUint32(0, epoch);
    bytes.set(iv, EPOCH_BYTES);
    bytes.set(new Uint8Array(sealed), EPOCH_BYTES + IV_BYTES);
    return bytes;
  }

  /** Undefined for another key's, another place's or damaged bytes. */
  async function unseal(
    place: string,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (bytes.length < EPOCH_BYTES + IV_BYTES) return undefined;
    const key = await keys.find(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
    if (key === undefined) return undefined;
    const iv = bytes.subarray(EPOCH_BYTES, EPOCH_BYTES + IV_BYTES);
    const sealed = bytes.subarray(EPOCH_BYTES + IV_BYTES);
    const plain = await crypto.subtle.decrypt(gcm(iv, place), key, sealed).catch(() => undefined);
    return plain === undefined ? undefined : new Uint8Array(plain);
  }

  async function sealText(place: string, text: string): Promise<string> {
    return toBase64(await seal(place, new TextEncoder().encode(text)));
  }

  async function unsealText(place: string, stored: string): Promise<string | undefined> {
    const bytes = fromBase64(stored);
    const plain = bytes === undefined ? undefined : await unseal(place, bytes);
    return plain === undefined ? undefined : new TextDecoder().decode(plain);
  }

  /** What a head says of its question, packed where its vector was: blobs grow by nothing but the seal. */
  async function sealEntry(entry: StoredEntry): Promise<StoredEntry> {
    const { id, text, tags, vector } = entry;
    const packed = pack(JSON.stringify([text, tags, vector?.scale ?? null]), vector?.values);
    const [sealed, answer] = await Promise.all([
      seal(`head/${id}`, packed),
      sealText(`answer/${id}`, entry.answer),
    ]);
    return {
      ...entry,
      text: '',
      tags: [],
      vector: { values: new Int8Array(sealed.buffer), scale: 0 },
      answer,
    };
  }

  async function unsealHead(head: EntryHead): Promise<EntryHead | undefined> {
    const values = head.vector?.values;
    if (values === undefined) return undefined;
    const plain = await unseal(`head/${head.id}`, Uint8Array.from(values));
    const found = plain === undefined ? undefined : unpack(plain);
    if (found === undefined) return undefined;
    const { vector: _sealed, ...rest } = head;
    return { ...rest, ...found };
  }

  async function unsealMeta(
    rows: ReadonlyMap<string, string>,
  ): Promise<{ readonly plain: ReadonlyMap<string, string>; readonly lost: readonly string[] }> {
    const plain = new Map<string, string>();
    const lost: string[] = [];
    for (const [key, stored] of rows) {
      const value = stored.startsWith(META_VALUE)
        ? await unsealText(`meta/${key}`, stored.slice(META_VALUE.length))
        : undefined;
      if (value === undefined) lost.push(key);
      else plain.set(key, value);
    }
    return { plain, lost };
  }

  const sealMeta = async (key: string, value: string): Promise<string> =>
    META_VALUE + (await sealText(`meta/${key}`, value));

  async function removeAll(): Promise<void> {
    for await (const page of allPages(inner)) await inner.apply({ remove: page.map(({ id }) => id) });
    const meta = [...(await inner.meta('')).keys()].map((key) => [key, null]);
    await inner.apply({ meta: Object.fromEntries(meta) });
  }

  async function openPage(after: string): Promise<Page> {
    const page = await inner.heads(after);
    const opened = await Promise.all(page.map(unsealHead));
    return {
      last: page.at(-1)?.id,
      readable: opened.filter((head) => head !== undefined),
      lost: page.filter((_, at) => opened[at] === undefined).map(({ id }) => id),
    };
  }

  /** Reads the page again: what was lost when it was read may have been rewritten since. Call it in `serial`. */
  async function dropLostHeads(after: string): Promise<Page> {
    const page = await openPage(after);
    if (page.lost.length > 0) await inner.apply({ remove: page.lost });
    return page;
  }

  /** As `dropLostHeads`. */
  async function dropLostMeta(prefix: string): Promise<ReadonlyMap<string, string>> {
    const { plain, lost } = await unsealMeta(await inner.meta(prefix));
    if (lost.length > 0) await inner.apply({ meta: Object.fromEntries(lost.map((key) => [key, null])) });
    return plain;
  }

  /** A page may hold nothing readable and yet not be the last, so pages are read until one has something. */
  async function readHeads(after: string): Promise<readonly EntryHead[]> {
    for (let from = after; ; ) {
      const place = from;
      const read = await openPage(place);
      const { last, readable } = read.lost.length > 0 ? await serial(() => dropLostHeads(place)) : read;
      if (last === undefined) return [];
      if (readable.length > 0) return readable;
      from = last;
    }
  }

  async function applySealed(change: StoreChange): Promise<void> {
    const meta = Object.entries(change.meta ?? {}).map(
      async ([key, value]) => [key, value === null ? null : await sealMeta(key, value)] as const,
    );
    await inner.apply({
      ...change,
      put: await Promise.all((change.put ?? []).map(sealEntry)),
      meta: Object.fromEntries(await Promise.all(meta)),
    });
  }

  const unsealAnswer = (id: string, stored: string): Promise<string | undefined> =>
    unsealText(`answer/${id}`, stored);

  async function answerOf(id: string): Promise<string | undefined> {
    const stored = await inner.answer(id);
    return stored === undefined ? undefined : await unsealAnswer(id, stored);
  }

  async function answer(id: string): Promise<string | undefined> {
    const stored = await inner.answer(id);
    if (stored === undefined) return undefined;
    // What a rotation rewrote between the reading and the opening is readable after it.
    return (await unsealAnswer(id, stored)) ?? (await serial(() => answerOf(id)));
  }

  async function claim(key: string, value: string): Promise<string> {
    for (let tries = 0; tries < 3; tries += 1) {
      const stored = await inner.claim(key, await sealMeta(key, value));
      const kept = (await unsealMeta(new Map([[key, stored]]))).plain.get(key);
      if (kept !== undefined) return kept;
      await inner.apply({ meta: { [key]: null } });
    }
    throw new NearfieldError('storage-failed', 'The cache store gives back another value than it kept.');
  }

  async function rotate(): Promise<number> {
    const shredsBefore = shreds;
    await keys.rotate();
    let rewritten = 0;
    for (let from = ''; ; ) {
      const { last, readable, lost } = await openPage(from);
      if (last === undefined) break;
      const put: StoredEntry[] = [];
      for (const head of readable) {
        const kept = await answerOf(head.id);
        if (kept !== undefined) put.push({ ...head, answer: kept });
      }
      if (shreds !== shredsBefore) return rewritten;
      await applySealed({ put, remove: lost });
      rewritten += put.length;
      from = last;
    }
    const meta = await dropLostMeta('');
    if (shreds !== shredsBefore) return rewritten;
    await applySealed({ meta: Object.fromEntries(meta) });
    await keys.retire();
    return rewritten;
  }

  return {
    kind: `${inner.kind}-encrypted`,
    heads: readHeads,
    answer,
    apply: (change) => serial(() => applySealed(change)),
    async meta(prefix) {
      const { plain, lost } = await unsealMeta(await inner.meta(prefix));
      return lost.length > 0 ? await serial(() => dropLostMeta(prefix)) : plain;
    },
    claim: (key, value) => serial(() => claim(key, value)),
    rotate: () => serial(rotate),
    async shred() {
      shreds += 1;
      await keys.shred();
      await serial(removeAll);
    },
    close: () => serial(() => inner.close()),
  };
}

function gcm(iv: Uint8Array<ArrayBuffer>, place: string): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(place) };
}

/** Length of the text, the text, the vector. */
function pack(text: string, values: Int8Array | undefined): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(4 + encoded.length + (values?.length ?? 0));
  new DataView(bytes.buffer).setUint32(0, encoded.length);
  bytes.set(encoded, 4);
  if (values !== undefined) bytes.set(new Uint8Array(values), 4 + encoded.length);
  return bytes;
}

function unpack(bytes: Uint8Array<ArrayBuffer>): Pick<EntryHead, 'text' | 'tags' | 'vector'> | undefined {
  const length = new DataView(bytes.buffer).getUint32(0);
  const json = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  const [text, tags, scale] = JSON.parse(json) as [string, readonly string[], number | null];
  const values = new Int8Array(bytes.slice(4 + length).buffer);
  return scale === null ? { text, tags } : { text, tags, vector: { values, scale } };
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let from = 0; from < bytes.length; from += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(from, from + 8_192));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
