// Owns the cache's reasons in words. A reason this page does not know is shown as it came.
import type { MessageKey } from '../i18n/en.ts';
import { t } from '../i18n/i18n.ts';

const KEYS: Readonly<Record<string, MessageKey>> = {
  exact: 'reason.exact',
  similar: 'reason.similar',
  coalesced: 'reason.coalesced',
  'coalesced-similar': 'reason.coalesced-similar',
  'too-old': 'reason.too-old',
  empty: 'reason.empty',
  far: 'reason.far',
  uncertain: 'reason.uncertain',
  explored: 'reason.explored',
  'reported-wrong': 'reason.reported-wrong',
  expired: 'reason.expired',
  guard: 'reason.guard',
  'guard-failed': 'reason.failed',
  policy: 'reason.policy',
  'no-cache': 'reason.off',
  'asked-bypass': 'reason.off',
  'asked-logprobs': 'reason.off',
  'asked-refresh': 'reason.refresh',
  'store-failed': 'reason.failed',
  'embed-failed': 'reason.failed',
  closed: 'reason.failed',
};

export function describeReason(reason: string): string {
  const key = KEYS[reason];
  if (key !== undefined) return t(key);
  const [, what] = /^differs-(.+)$/.exec(reason) ?? [];
  return what === undefined ? reason : t('reason.differs', { what });
}
