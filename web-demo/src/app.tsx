// Owns the frame of the page: header, navigation, the page in view, the document viewer.
import type { JSX } from 'preact';
import { AskPage } from './ask/page.tsx';
import { Viewer } from './documents/viewer.tsx';
import { t } from './i18n/i18n.ts';
import { AboutPage } from './pages/about.tsx';
import { ActivityPage } from './pages/activity.tsx';
import { CachePage } from './pages/cache.tsx';
import { ModelsPage } from './pages/models.tsx';
import { TelemetryPage } from './pages/telemetry.tsx';
import { Header } from './shell/header.tsx';
import { type App, AppContext } from './state/app.ts';
import type { Page } from './state/route.ts';

const VIEWS: Readonly<Record<Page, () => JSX.Element>> = {
  ask: AskPage,
  activity: ActivityPage,
  cache: CachePage,
  telemetry: TelemetryPage,
  models: ModelsPage,
  about: AboutPage,
};

export function AppView({ app }: { readonly app: App }): JSX.Element {
  const View = VIEWS[app.route.value];
  return (
    <AppContext.Provider value={app}>
      <a class="skip" href="#main">
        {t('skip')}
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        <View />
      </main>
      <Viewer />
    </AppContext.Provider>
  );
}
