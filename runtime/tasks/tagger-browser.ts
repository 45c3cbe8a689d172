// Owns the tagger of a page: on where the site serves its model, off where it does not. The model runs in a
// worker of its own.
import { createBrowserTokenEncoder } from '../engine/token-browser.ts';
import { NearfieldError } from '../errors.ts';
import type { LoadEvent, ModelStore } from '../models.ts';
import type { GuardedFetch, Tagger } from '../types.ts';
import { type OpeningTagger, openTagger, type TaggingOptions } from './tagger.ts';

export interface BrowserTaggerOptions extends Pick<TaggingOptions, 'bias'> {
  /** URL of the tagger's manifest.json. */
  readonly manifest: URL;
  /** The app's guarded fetch. */
  readonly fetch: GuardedFetch;
  /** Where verified files stay. Default IndexedDB; null keeps nothing. */
  readonly store?: ModelStore | null | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
}

/**
 * The tagger if the site has it, opening in the background; undefined where the manifest is not there. One that
 * is there and cannot be loaded fails every text.
 * @throws model-load-failed when the site cannot be asked: a site that is away is no site without a tagger
 */
export async function findBrowserTagger(options: BrowserTaggerOptions): Promise<Tagger | undefined> {
  if (!(await isServed(options.manifest, options.fetch))) return undefined;
  const tagger = createBrowserTagger(options);
  // What goes wrong is told at the first text.
  void tagger.warm().catch(() => undefined);
  return tagger;
}

/** A tagger of this page that opens at its first text, in a worker of its own. */
export function createBrowserTagger(options: BrowserTaggerOptions): OpeningTagger {
  const { manifest, fetch, store, onProgress, bias } = options;
  const id = manifest.pathname.split('/').at(-2) ?? 'tagger';
  return openTagger(id, () => createBrowserTokenEncoder({ manifest, fetch, store, onProgress }), { bias });
}

/** A site that answers every path with its page has no manifest there. */
async function isServed(manifest: URL, fetch: GuardedFetch): Promise<boolean> {
  const response = await fetch(manifest).catch((cause: unknown) => {
    throw new NearfieldError('model-load-failed', `Manifest ${manifest.href} could not be asked for.`, {
      cause,
    });
  });
  await response.body?.cancel();
  if (response.status === 404) return false;
  return !(response.headers.get('content-type') ?? '').includes('text/html');
}
