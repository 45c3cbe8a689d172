// Starts the page: builds the runtime, restores what this browser keeps, renders.
import './shell/shut-doors.ts';
import './styles/index.css';
import { render } from 'preact';
import { AppView } from './app.tsx';
import { createDocumentStore } from './documents/store.ts';
import { edgeUrlOf } from './edge-url.ts';
import { openEmbedder, openGuard, openLabelling, openLanguageModel, openTagger } from './engine.ts';
import { createLanguageModel, type LanguageModelFacts } from './language-model.ts';
import { createPageModel, type ModelFacts } from './model.ts';
import { createAppRuntime } from './runtime.ts';
import { watchInstall } from './shell/install.ts';
import { watchNetwork } from './shell/network.ts';
import { registerWorker } from './shell/register.ts';
import { createApp } from './state/app.ts';

/** Put in by vite.config.ts. */
declare const __NEARFIELD_MODEL__: ModelFacts;
/** Null where the build found no language model to serve. */
declare const __NEARFIELD_LANGUAGE_MODEL__: LanguageModelFacts | null;

watchInstall();
watchNetwork();
const model = createPageModel(__NEARFIELD_MODEL__, openEmbedder);
const languageModel = createLanguageModel(
  __NEARFIELD_LANGUAGE_MODEL__ ?? undefined,
  openLanguageModel,
  localStorage,
);
const guard = openGuard();
const tagger = openTagger();
const { volatility, warm: warmLabels } = openLabelling(model.embedder);
const edgeUrl = edgeUrlOf(document);
const runtime = createAppRuntime({ model, languageModel, guard, volatility, tagger, edgeUrl });
const app = createApp({ runtime, store: createDocumentStore() });
render(<AppView app={app} />, document.body);
// The model comes now, so that the first question is fast and the network may be off from then on; but
// after the service worker, which keeps the engine's own files as they pass.
void registerWorker().then(async () => {
  await model.load();
  // Without the tagger questions stay on this device; without the guard the cache finds exact repeats only; without
  // the heads it keeps answers by its word list. Each is tried again when it is next needed.
  await Promise.allSettled([tagger.warm(), guard.warm(), warmLabels()]);
  await app.library.restore();
});
