// Owns what components share, handed down by context: the runtime, the choices, the documents, the
// conversation and the document that is open.
import { type Signal, signal } from '@preact/signals';
import type { Passage } from 'nearfield';
import { type Context, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { AppRuntime } from '../app-runtime.ts';
import type { DocumentStore } from '../documents/store.ts';
import { type Conversation, createConversation } from './conversation.ts';
import { createLibrary, type Library } from './library.ts';
import { createRoute, type Page } from './route.ts';
import { createSettings, type Settings } from './settings.ts';

/** The document in the viewer, and the passages to walk through. */
export interface OpenDocument {
  readonly documentId: string;
  readonly passages: readonly Passage[];
  readonly at: number;
}

export interface App {
  readonly runtime: AppRuntime;
  readonly settings: Settings;
  readonly library: Library;
  readonly conversation: Conversation;
  readonly route: Signal<Page>;
  readonly viewer: Signal<OpenDocument | undefined>;
  /** The documents sheet on narrow screens. */
  readonly sheetOpen: Signal<boolean>;
}

export function createApp(options: { readonly runtime: AppRuntime; readonly store: DocumentStore }): App {
  const settings = createSettings({ hasEdge: options.runtime.edgeHost !== '' });
  const library = createLibrary(options);
  return {
    runtime: options.runtime,
    settings,
    library,
    conversation: createConversation({
      runtime: options.runtime,
      privacy: settings.privacy,
      documents: () => library.asked(),
    }),
    route: createRoute(),
    viewer: signal(undefined),
    sheetOpen: signal(false),
  };
}

export const AppContext: Context<App | undefined> = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === undefined) throw new Error('Expected an AppContext around this component, found none.');
  return app;
}
