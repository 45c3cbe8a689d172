// Owns the telemetry page: the notice before anything is recorded, the budget, the outbox as it would go.
import type { TelemetryStatus } from 'nearfield/telemetry';
import { Fragment, type JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { formatBytes } from '../ui/format.ts';
import { PageFrame } from './page.tsx';
import { useLoaded } from './use-loaded.ts';

export function TelemetryPage(): JSX.Element {
  const { runtime, conversation } = useApp();
  const [status, again] = useLoaded(() => runtime.telemetry(), conversation.turns.value);
  const on = status?.consent === 'granted';
  const set = async (wanted: boolean): Promise<void> => {
    await runtime.setTelemetry(wanted);
    again();
  };
  return (
    <PageFrame title={t('telemetry.title')} lead={t('telemetry.lead')}>
      <Notice />
      <div class="toolbar">
        <span class="badge" data-cache={on ? 'hit' : 'bypass'}>
          {t(on ? 'telemetry.on' : 'telemetry.off')}
        </span>
        <button type="button" class={on ? 'button danger' : 'button'} onClick={() => void set(!on)}>
          {t(on ? 'telemetry.optOut' : 'telemetry.optIn')}
        </button>
      </div>
      {status !== undefined && <Budget status={status} />}
      <Outbox status={status} />
    </PageFrame>
  );
}

function Notice(): JSX.Element {
  const { metrics, epsilon, periodMs } = useApp().runtime.telemetryNotice;
  return (
    <section>
      <h2>{t('telemetry.what')}</h2>
      <p class="note">
        {t('telemetry.one', { days: Math.round(periodMs / 86_400_000), epsilon: epsilon.instant })}
      </p>
      <dl class="pairs wide card metrics">
        {Object.entries(metrics).map(([metric, values]) => (
          <Fragment key={metric}>
            <dt>
              <code>{metric}</code>
            </dt>
            <dd class="muted">{values.join(' · ')}</dd>
          </Fragment>
        ))}
      </dl>
      <p class="note">{t('telemetry.never')}</p>
    </section>
  );
}

function Budget({ status }: { readonly status: TelemetryStatus }): JSX.Element {
  const { spentEpsilon, lifetimeEpsilon, reportsLeft } = status.budget;
  const spent = Math.min(spentEpsilon, lifetimeEpsilon);
  return (
    <section>
      <h2>{t('telemetry.budget')}</h2>
      <meter class="meter" min={0} max={lifetimeEpsilon} value={spent} aria-label={t('telemetry.budget')} />
      <p class="note muted">
        {t('telemetry.budgetHint', {
          spent: spent.toLocaleString(locale.value, { maximumFractionDigits: 2 }),
          limit: lifetimeEpsilon.toLocaleString(locale.value),
          left: reportsLeft,
        })}
      </p>
    </section>
  );
}

function Outbox({ status }: { readonly status: TelemetryStatus | undefined }): JSX.Element {
  const on = status?.consent === 'granted';
  const outbox = on ? status.outbox : [];
  return (
    <section>
      <h2>{t('telemetry.outbox')}</h2>
      {outbox.map(({ body, dueAtMs }) => (
        <figure key={body} class="outbox">
          <pre>{body}</pre>
          <figcaption class="note muted">
            {t('telemetry.due', {
              bytes: formatBytes(new TextEncoder().encode(body).length, locale.value),
              when: new Date(dueAtMs).toLocaleString(locale.value),
            })}
          </figcaption>
        </figure>
      ))}
      {outbox.length === 0 && <p class="muted">{t(on ? 'telemetry.outboxEmpty' : 'telemetry.outboxOff')}</p>}
      {on && status.metric !== undefined && (
        <p class="note">
          {t('telemetry.question')} <code>{status.metric}</code>
        </p>
      )}
    </section>
  );
}
