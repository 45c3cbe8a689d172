// Owns the documents on the page: reads what is dropped, keeps it in this browser, has it indexed, says how
// far that is. One file is read at a time; a bad one never stops the rest.
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { SourceDocument } from 'nearfield';
import type { AppRuntime, IndexCounts } from '../app-runtime.ts';
import { kindOf, MAX_FILE_BYTES } from '../documents/file-kind.ts';
import { markdownToText } from '../documents/plain-text.ts';
import { ReadError, readDocument } from '../documents/read-file.ts';
import type { Sample } from '../documents/samples.ts';
import type { DocumentStore, StoredDocument } from '../documents/store.ts';
import { locale, t } from '../i18n/i18n.ts';
import { formatBytes } from '../ui/format.ts';

export interface LibraryDocument extends StoredDocument {
  /** Asked when a question is asked. */
  readonly included: boolean;
  readonly counts?: IndexCounts | undefined;
  /** 0…1 while being indexed. */
  readonly progress?: number | undefined;
}

export interface Library {
  readonly documents: ReadonlySignal<readonly LibraryDocument[]>;
  /** Name of the file being read, if any. */
  readonly reading: ReadonlySignal<string | undefined>;
  /** Files that were not taken, in words; newest last. */
  readonly problems: Signal<readonly string[]>;
  asked(): readonly SourceDocument[];
  restore(): Promise<void>;
  addFiles(files: readonly File[]): Promise<void>;
  /** Resolves once the sample can be asked; its indexing goes on behind. */
  addSample(sample: Sample): Promise<void>;
  toggle(id: string): void;
  remove(id: string): Promise<void>;
}

export function createLibrary(options: {
  readonly runtime: AppRuntime;
  readonly store: DocumentStore;
}): Library {
  const { runtime, store } = options;
  const documents: Signal<readonly LibraryDocument[]> = signal([]);
  const reading: Signal<string | undefined> = signal(undefined);
  const problems: Signal<readonly string[]> = signal([]);
  let indexing: Promise<void> = Promise.resolve();

  const update = (id: string, change: Partial<LibraryDocument>): void => {
    documents.value = documents.value.map((entry) => (entry.id === id ? { ...entry, ...change } : entry));
  };
  const report = (problem: string): void => {
    problems.value = [...problems.value, problem];
  };

  /** One document after another, so each one's progress is its own. Gone ones are passed over. */
  function index(id: string): Promise<void> {
    indexing = indexing.then(async () => {
      const entry = documents.value.find((candidate) => candidate.id === id);
      if (entry === undefined) return;
      update(id, { progress: 0 });
      try {
        const onProgress = ({ done, total }: { done: number; total: number }): void =>
          update(id, { progress: done / total });
        const [counts] = await runtime.index([sourceOf(entry)], { onProgress });
        update(id, { counts, progress: undefined });
      } catch {
        update(id, { progress: undefined }); // the model's own state says why; asking will try again
      }
    });
    return indexing;
  }

  async function place(document: StoredDocument): Promise<void> {
    documents.value = [
      ...documents.value.filter((entry) => entry.id !== document.id),
      { ...document, included: true },
    ];
    await store.put(document).catch(() => report(t('docs.storage', { name: document.title })));
  }

  async function addFile(file: File): Promise<void> {
    reading.value = file.name;
    try {
      const read = await readDocument(file);
      reading.value = undefined;
      const id = await idOf(read.title, read.text);
      await place({ ...read, id, addedAtMs: Date.now() });
      await index(id);
    } catch (error) {
      report(problemOf(error, file));
    } finally {
      reading.value = undefined;
    }
  }

  return {
    documents: computed(() => documents.value),
    reading,
    problems,
    asked: () => documents.value.filter((entry) => entry.included).map(sourceOf),
    async restore() {
      const kept = await store.all().catch(() => []);
      documents.value = kept.map((document) => ({ ...document, included: true }));
      await Promise.all(kept.map((document) => index(document.id)));
    },
    async addFiles(files) {
      problems.value = [];
      for (const file of files) await addFile(file);
    },
    async addSample(sample) {
      if (documents.value.some(({ id }) => id === sample.id)) return;
      const raw = await sample.load();
      const bytes = new TextEncoder().encode(raw).length;
      const text = markdownToText(raw);
      await place({
        id: sample.id,
        title: sample.title,
        text,
        kind: 'markdown',
        bytes,
        addedAtMs: Date.now(),
      });
      void index(sample.id);
    },
    toggle(id) {
      const entry = documents.value.find((candidate) => candidate.id === id);
      if (entry !== undefined) update(id, { included: !entry.included });
    },
    async remove(id) {
      documents.value = documents.value.filter((entry) => entry.id !== id);
      await store.remove(id).catch(() => {}); // it is gone from the page; a store that fails holds nothing new
    },
  };
}

function sourceOf({ id, title, text }: LibraryDocument): SourceDocument {
  return { id, title, text };
}

/** The same file added twice is one document. */
async function idOf(title: string, text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${title}\n${text}`));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function problemOf(error: unknown, file: File): string {
  const reason = error instanceof ReadError ? error.reason : 'docs.unreadable';
  return t(reason, {
    name: file.name,
    kind: kindOf(file.name, file.type) ?? '',
    size: formatBytes(file.size, locale.value),
    limit: formatBytes(MAX_FILE_BYTES, locale.value),
  });
}
