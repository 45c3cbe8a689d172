// Owns the facts beside an answer: where it ran, how long each step took, what the cache did, what left the
// device, and the receipt that says so.
import type { CacheReport, Receipt, ResponseEnd } from 'nearfield';
import type { JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import type { Turn } from '../state/turn.ts';
import { formatBytes, formatMs, shortHash } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { describeReason } from './cache-reason.ts';
import { barsOf } from './waterfall.ts';

export function Facts({ turn, end }: { readonly turn: Turn; readonly end: ResponseEnd }): JSX.Element {
  const { timings, receipt, tier, cache } = end;
  return (
    <aside class="facts" aria-label={t('facts.title')}>
      <div class="badges">
        <span class="badge" data-kind={tier.kind}>
          <Icon name={tier.kind} size={15} />
          {t(`tier.${tier.kind}`)}
        </span>
        <span class="badge" data-cache={cache.status}>
          <Icon name="cache" size={15} />
          {t(`cache.${cache.status}`)}
        </span>
      </div>
      <dl class="pairs">
        <dt>{t('facts.left')}</dt>
        <dd>
          <Left receipt={receipt} />
        </dd>
        <dt>{t('facts.first')}</dt>
        <dd>{timings.ttftMs === undefined ? '–' : formatMs(timings.ttftMs, locale.value)}</dd>
        <dt>{t('facts.total')}</dt>
        <dd>{formatMs(timings.totalMs, locale.value)}</dd>
        <Speed end={end} />
        <CacheFacts cache={cache} />
        <Redacted receipt={receipt} />
      </dl>
      <Waterfall end={end} />
      <Feedback turn={turn} cache={cache} />
      <ReceiptDetails receipt={receipt} />
    </aside>
  );
}

/** Beside a question that failed or was stopped: what had left by then is owed all the same. */
export function UnfinishedFacts({ receipt }: { readonly receipt: Receipt }): JSX.Element {
  return (
    <aside class="facts" aria-label={t('facts.title')}>
      <dl class="pairs">
        <dt>{t('facts.left')}</dt>
        <dd>
          <Left receipt={receipt} />
        </dd>
        <Redacted receipt={receipt} />
      </dl>
      <ReceiptDetails receipt={receipt} />
    </aside>
  );
}

/** Tokens a second of a local model; the first token comes with the prefill and is not counted. */
function Speed({ end }: { readonly end: ResponseEnd }): JSX.Element | null {
  const decodeMs = end.timings.steps.find((step) => step.name === 'decode')?.durationMs ?? 0;
  const tokens = end.usage.completionTokens;
  if (decodeMs === 0 || tokens < 2 || end.cache.status === 'hit') return null;
  const rate = (((tokens - 1) / decodeMs) * 1000).toLocaleString(locale.value, { maximumFractionDigits: 1 });
  return (
    <>
      <dt>{t('facts.speed')}</dt>
      <dd>{t('facts.tokensPerSecond', { rate, n: tokens })}</dd>
    </>
  );
}

function Left({ receipt }: { readonly receipt: Receipt }): JSX.Element {
  if (receipt.bytesOut === 0) return <strong class="zero">{t('facts.nothingLeft')}</strong>;
  const bytes = formatBytes(receipt.bytesOut, locale.value);
  return <strong>{t('facts.to', { bytes, host: receipt.hosts.join(', ') })}</strong>;
}

function CacheFacts({ cache }: { readonly cache: CacheReport }): JSX.Element {
  const similarity = cache.similarity?.toFixed(3);
  return (
    <>
      <dt>{t('facts.cache')}</dt>
      <dd>
        {describeReason(cache.reason)}
        {similarity !== undefined && (
          <span class="muted"> · {t('facts.similarity', { value: similarity })}</span>
        )}
      </dd>
    </>
  );
}

function Redacted({ receipt }: { readonly receipt: Receipt }): JSX.Element | null {
  const entries = Object.entries(receipt.redactedByType);
  if (entries.length === 0) return null;
  return (
    <>
      <dt>{t('facts.redacted')}</dt>
      <dd>{entries.map(([type, count]) => `${type} ×${count}`).join(', ')}</dd>
    </>
  );
}

function Waterfall({ end }: { readonly end: ResponseEnd }): JSX.Element {
  return (
    <figure class="waterfall">
      <figcaption class="label">{t('facts.steps')}</figcaption>
      <ol>
        {barsOf(end.timings).map((bar) => (
          <li key={`${bar.name}${bar.left}`}>
            <span class="step-name">{t(`step.${bar.name}`)}</span>
            <span class="track" aria-hidden="true">
              <span
                class="bar"
                data-step={bar.name}
                data-kind={end.tier.kind}
                style={{ left: `${bar.left * 100}%`, width: `${bar.width * 100}%` }}
              />
            </span>
            <span class="step-ms">{formatMs(bar.durationMs, locale.value)}</span>
          </li>
        ))}
      </ol>
    </figure>
  );
}

function Feedback({ turn, cache }: { readonly turn: Turn; readonly cache: CacheReport }): JSX.Element | null {
  const { conversation } = useApp();
  if (cache.entryId === undefined || (cache.status !== 'hit' && cache.status !== 'stale')) return null;
  if (turn.verdict === 'wrong') return <output class="note">{t('facts.wrongThanks')}</output>;
  return (
    <button type="button" class="button small" onClick={() => void conversation.markWrong(turn.id)}>
      <Icon name="flag" size={14} />
      {t('facts.wrong')}
    </button>
  );
}

export function ReceiptDetails({ receipt }: { readonly receipt: Receipt }): JSX.Element {
  return (
    <details class="receipt">
      <summary>
        {t('facts.receiptNumber', { n: receipt.sequence })}
        <code>{shortHash(receipt.hash)}</code>
      </summary>
      <dl class="pairs stacked">
        <dt>{t('facts.rules')}</dt>
        <dd>{receipt.rules.join(', ')}</dd>
        <dt>{t('facts.left')}</dt>
        <dd>
          <Left receipt={receipt} />
        </dd>
        <dt>{t('facts.hash')}</dt>
        <dd>
          <code>{receipt.hash}</code>
        </dd>
        <dt>{t('facts.previous')}</dt>
        <dd>
          <code>{receipt.previous}</code>
        </dd>
      </dl>
    </details>
  );
}
