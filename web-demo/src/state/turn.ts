// Owns one question and its answer as data, and how each stream part changes it. Pure.
import {
  isAbortError,
  isNearfieldError,
  type Passage,
  type Receipt,
  type ResponseEnd,
  type StreamPart,
  type TierKind,
} from 'nearfield';

export type TurnState = 'working' | 'done' | 'stopped' | 'failed';

export interface Turn {
  readonly id: string;
  readonly question: string;
  readonly privacy: TierKind;
  readonly state: TurnState;
  readonly text: string;
  readonly passages: readonly Passage[];
  /** The answer came from documents, so no passages means "not found". */
  readonly searched: boolean;
  readonly end?: ResponseEnd | undefined;
  readonly errorCode?: string | undefined;
  /** Of a turn that did not end well: what had left by then. */
  readonly receipt?: Receipt | undefined;
  readonly verdict?: 'wrong' | undefined;
}

export function newTurn(id: string, question: string, privacy: TierKind): Turn {
  return { id, question, privacy, state: 'working', text: '', passages: [], searched: false };
}

export function applyPart(turn: Turn, part: StreamPart): Turn {
  switch (part.type) {
    case 'text-delta':
      return { ...turn, text: turn.text + part.text };
    case 'sources':
      return { ...turn, passages: part.passages, searched: true };
    case 'response-end':
      return { ...turn, state: 'done', end: part };
    default:
      return turn;
  }
}

/** Ends a turn that threw: an abort is the person's own doing, not a failure. */
export function applyFailure(turn: Turn, error: unknown, receipt?: Receipt): Turn {
  if (isAbortError(error)) return { ...turn, receipt, state: 'stopped' };
  return { ...turn, receipt, state: 'failed', errorCode: isNearfieldError(error) ? error.code : 'internal' };
}

/** True when documents were searched and none of them answers. */
export function isNotFound(turn: Turn): boolean {
  return turn.state === 'done' && turn.searched && turn.passages.length === 0;
}

export type ErrorKey = 'no-tier' | 'egress-denied' | 'offline' | 'refused' | 'model' | 'other';

const ERROR_KEYS: Readonly<Record<string, ErrorKey>> = {
  'no-tier': 'no-tier',
  'egress-denied': 'egress-denied',
  'policy-failed': 'egress-denied',
  'redaction-failed': 'egress-denied',
  'upstream-unavailable': 'offline',
  'upstream-timeout': 'offline',
  'upstream-throttled': 'refused',
  'upstream-rejected': 'refused',
  unauthorized: 'refused',
  'rate-limited': 'refused',
  'budget-exhausted': 'refused',
  'payload-too-large': 'refused',
  'model-load-failed': 'model',
  'model-not-found': 'model',
  'backend-unavailable': 'model',
  'golden-mismatch': 'model',
  'integrity-mismatch': 'model',
};

/**
 * Which of the page's explanations fits a turn that failed. A question that the person kept here was not stopped by
 * policy: nothing here could answer it.
 */
export function errorKeyOf({ errorCode, privacy }: Pick<Turn, 'errorCode' | 'privacy'>): ErrorKey {
  const key = ERROR_KEYS[errorCode ?? ''] ?? 'other';
  return errorCode === 'egress-denied' && privacy === 'device' ? 'no-tier' : key;
}
