import { describe, expect, it } from 'vitest';
import { createLanguageModel, type OpenGenerator } from './language-model.ts';

const facts = { id: 'small', licence: 'Apache-2.0', bytes: 100 };
const generator = (onDispose = () => {}): OpenGenerator => ({
  backend: 'kernel',
  can: () => true,
  async *stream() {
    yield { type: 'text-delta', text: 'Hi' };
  },
  dispose: async () => onDispose(),
});

describe('the page’s language model', () => {
  it('is loaded once, tells how far it is, and answers from then on', async () => {
    let opens = 0;
    const seen: number[] = [];
    const model = createLanguageModel(facts, async (_, { onBytes }) => {
      opens += 1;
      onBytes('weights', 60);
      onBytes('tokenizer', 40);
      seen.push(model.state.value.loadedBytes);
      return generator();
    });
    const request = { messages: [] };
    expect(await model.generator.can(request)).toBe(false);
    await Promise.all([model.load(), model.load()]);
    expect({ opens, seen }).toEqual({ opens: 1, seen: [100] });
    expect(model.state.value).toMatchObject({ phase: 'ready', backend: 'kernel' });
    expect(await model.generator.can(request)).toBe(true);
  });

  it('goes back to idle when cancelled, and says why it failed otherwise', async () => {
    const model = createLanguageModel(facts, (_, { signal }) => {
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const loading = model.load();
    model.cancel();
    await loading;
    expect(model.state.value).toMatchObject({ phase: 'idle', error: undefined });
    const broken = createLanguageModel(facts, () => Promise.reject(new Error('no room')));
    await broken.load();
    expect(broken.state.value).toMatchObject({ phase: 'failed', error: 'no room' });
  });

  it('gives its memory back, and can be loaded again', async () => {
    let disposed = 0;
    const model = createLanguageModel(facts, async () => generator(() => void disposed++));
    await model.load();
    await model.unload();
    expect({ disposed, phase: model.state.value.phase }).toEqual({ disposed: 1, phase: 'idle' });
    expect(await model.generator.can({ messages: [] })).toBe(false);
    await model.load();
    expect(model.state.value.phase).toBe('ready');
  });

  it('knows at the next visit that it was here', async () => {
    const notes = new Map<string, string>();
    const memory = {
      getItem: (key: string) => notes.get(key) ?? null,
      setItem: (key: string, value: string) => void notes.set(key, value),
    };
    const visit = (id: string) => createLanguageModel({ ...facts, id }, async () => generator(), memory);
    const first = visit('small');
    expect(first.state.value.kept).toBe(false);
    await first.load();
    expect(first.state.value.kept).toBe(true);
    expect(visit('small').state.value).toMatchObject({ kept: true, phase: 'idle' });
    expect(visit('other').state.value.kept).toBe(false);
  });

  it('is absent where the site serves none', async () => {
    const model = createLanguageModel(undefined, () => Promise.reject(new Error('never')));
    await model.load();
    expect(model.state.value.phase).toBe('absent');
  });
});
