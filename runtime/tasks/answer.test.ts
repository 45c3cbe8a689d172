import { describe, expect, it } from 'vitest';
import { createFakeEmbedder } from '../../scripts/testing/fake-embedder.ts';
import { createAnswerer } from './answer.ts';

const LEASE = {
  id: 'lease',
  title: 'Lease',
  text: 'The lease begins on 1 May. The tenant pays a deposit of 900 euros. Pets are allowed with written consent.',
};
const LEAVE = {
  id: 'leave',
  text: 'Employees have 25 days of paid leave. Sick leave needs a note after three days.',
};

describe('createAnswerer', () => {
  it('returns the sentence with exact offsets', async () => {
    const { found, passages } = await createAnswerer({ embedder: createFakeEmbedder() }).find(
      'How much is the deposit the tenant pays?',
      [LEASE, LEAVE],
    );
    expect(found).toBe(true);
    expect(passages[0]).toMatchObject({ documentId: 'lease', title: 'Lease' });
    expect(LEASE.text.slice(passages[0]!.start, passages[0]!.end)).toBe(
      'The tenant pays a deposit of 900 euros.',
    );
    expect(passages[0]!.text).toBe('The tenant pays a deposit of 900 euros.');
    expect(passages[0]!.similarity).toBeGreaterThan(0);
  });

  it('answers with the sentence, not with the heading above it', async () => {
    const text = '# Deposit\n\nThe deposit is 900 euros. It is paid back at the end.';
    const { passages } = await createAnswerer({ embedder: createFakeEmbedder() }).find(
      'How much is the deposit?',
      [{ id: 'a', text }],
    );
    expect(passages[0]!.text).toBe('The deposit is 900 euros.');
  });

  it('keeps titles apart and survives letting a document go while it is asked', async () => {
    const embedder = createFakeEmbedder();
    const answerer = createAnswerer({ embedder, maxSentences: 2 });
    await answerer.find('q', [LEAVE]);
    const both = await answerer.find('How much is the deposit the tenant pays?', [LEASE, LEAVE]);
    expect(both.passages[0]!.documentId).toBe('lease');
    const before = embedder.seen.length;
    await answerer.find('q', [{ ...LEAVE, title: 'Holiday' }]);
    expect(embedder.seen.slice(before).some((text) => text.startsWith('Holiday. '))).toBe(true);
  });

  it('says not found under the threshold, and shows nothing', async () => {
    const { found, passages, score } = await createAnswerer({ embedder: createFakeEmbedder() }).find(
      'Which telescope photographed Neptune?',
      [LEAVE],
    );
    expect(found).toBe(false);
    expect(passages).toEqual([]);
    expect(score).toBeLessThan(0.4);
  });

  it('embeds a document once, whatever its id', async () => {
    const embedder = createFakeEmbedder();
    const answerer = createAnswerer({ embedder });
    await answerer.find('deposit?', [LEASE]);
    const before = embedder.seen.length;
    await answerer.find('pets?', [{ ...LEASE, id: 'copy' }]);
    expect(embedder.seen.slice(before)).toEqual(['pets?']);
  });

  it('reports progress over every document and stops when aborted', async () => {
    const embedder = createFakeEmbedder();
    const answerer = createAnswerer({ embedder });
    const long = { id: 'long', text: 'One more sentence about nothing. '.repeat(100) };
    const seen: number[] = [];
    const controller = new AbortController();
    const asked = answerer.find('q', [LEAVE, long], {
      signal: controller.signal,
      onProgress: ({ done, total }) => {
        seen.push(done / total);
        if (done > 40) controller.abort();
      },
    });
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen.every((share) => share < 1)).toBe(true);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('forgets the least recently asked document first', async () => {
    const embedder = createFakeEmbedder();
    const answerer = createAnswerer({ embedder, maxSentences: 4 });
    await answerer.find('q', [LEASE]);
    await answerer.find('q', [LEAVE]); // 3 + 2 sentences: the lease goes
    const before = embedder.seen.length;
    await answerer.find('q', [LEAVE]);
    expect(embedder.seen.length - before).toBe(1);
    await answerer.find('q', [LEASE]);
    expect(embedder.seen.length - before).toBeGreaterThan(3);
  });

  it('answers an empty document set with not found', async () => {
    const result = await createAnswerer({ embedder: createFakeEmbedder() }).find('anything?', []);
    expect(result).toMatchObject({ found: false, passages: [], score: 0 });
  });
});
