// Owns the activity page: every request of this session with its trace, every receipt and the check of
// their chain.
import type { Receipt, Trace } from 'nearfield';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ChainCheck } from '../app-runtime.ts';
import { ReceiptDetails } from '../ask/facts.tsx';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { formatBytes, formatMs, formatTime } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { Figures, PageFrame } from './page.tsx';
import { summaryOf } from './summary.ts';
import { useLoaded } from './use-loaded.ts';

export function ActivityPage(): JSX.Element {
  const { runtime, conversation } = useApp();
  const [receipts] = useLoaded(() => runtime.receipts(), conversation.turns.value);
  const traces = runtime.traces();
  const summary = summaryOf(traces, receipts ?? []);
  return (
    <PageFrame title={t('activity.title')} lead={t('activity.lead')}>
      <Figures
        figures={[
          { label: t('activity.questions'), value: String(summary.requests) },
          { label: t('activity.nearest'), value: `${summary.onDevice} / ${summary.answered}` },
          {
            label: t('activity.sent'),
            value: formatBytes(summary.bytesOut, locale.value),
            tone: summary.bytesOut === 0 ? 'good' : undefined,
          },
          {
            label: t('activity.median'),
            value: summary.medianMs === undefined ? '–' : formatMs(summary.medianMs, locale.value),
          },
        ]}
      />
      <ReceiptActions receipts={receipts ?? []} />
      {traces.length === 0 ? <p class="muted">{t('activity.none')}</p> : <TraceTable traces={traces} />}
    </PageFrame>
  );
}

function ReceiptActions({ receipts }: { readonly receipts: readonly Receipt[] }): JSX.Element {
  const { runtime } = useApp();
  const [check, setCheck] = useState<ChainCheck>();
  return (
    <div class="toolbar">
      <button
        type="button"
        class="button"
        disabled={receipts.length === 0}
        onClick={async () => download(await runtime.exportReceipts())}
      >
        <Icon name="download" size={16} />
        {t('activity.export')}
      </button>
      <button
        type="button"
        class="button"
        disabled={receipts.length === 0}
        onClick={async () => setCheck(await runtime.verifyReceipts())}
      >
        <Icon name="shield" size={16} />
        {t('activity.verify')}
      </button>
      <output class={check?.ok === false ? 'problem' : 'good'}>
        {check !== undefined &&
          (check.ok
            ? t('activity.verified', { n: check.checked })
            : t('activity.broken', { n: check.brokenAt ?? 0 }))}
      </output>
    </div>
  );
}

function download(jsonLines: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([jsonLines], { type: 'application/jsonl' }));
  link.download = 'nearfield-receipts.jsonl';
  link.click();
  URL.revokeObjectURL(link.href);
}

function TraceTable({ traces }: { readonly traces: readonly Trace[] }): JSX.Element {
  return (
    <ul class="traces">
      {[...traces].reverse().map((trace) => (
        <li key={trace.id} class="card trace">
          <div class="trace-head">
            <time dateTime={new Date(trace.startedAtMs).toISOString()}>
              {formatTime(trace.startedAtMs, locale.value)}
            </time>
            {trace.tier !== undefined && (
              <span class="badge" data-kind={trace.tier.kind}>
                <Icon name={trace.tier.kind} size={14} />
                {t(`tier.${trace.tier.kind}`)}
              </span>
            )}
            <span class="badge" data-cache={trace.cache.status}>
              {t(`cache.${trace.cache.status}`)}
            </span>
            <span class="trace-outcome" data-outcome={trace.outcome}>
              {t(`outcome.${trace.outcome}`)}
              {trace.errorCode !== undefined && <code>{trace.errorCode}</code>}
            </span>
            <span class="trace-ms">{formatMs(trace.timings.totalMs, locale.value)}</span>
            <span class="trace-bytes">{formatBytes(trace.receipt.bytesOut, locale.value)}</span>
          </div>
          <p class="note muted">
            {trace.decision.explanation}
            {trace.attempts.map(({ tier, code }) => ` ${tier.id}: ${code}.`).join('')}
          </p>
          <ReceiptDetails receipt={trace.receipt} />
        </li>
      ))}
    </ul>
  );
}
