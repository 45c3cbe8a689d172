// Owns who is let in when only so many fit: interactive before background, scopes with the fewest inside
// first, and nobody passed over for ever. Refuses those beyond its seats.
import { NearfieldError } from '../../errors.ts';

/** `interactive`: a person waits. `background`: nobody does. */
export type Priority = 'interactive' | 'background';

export interface WaitingRoom {
  /** Resolves to the way out once there is room. @throws queue-full, AbortError */
  enter(scope: string, priority: Priority, signal?: AbortSignal | undefined): Promise<() => void>;
  running(): number;
  waiting(): number;
  close(reason: unknown): void;
}

interface Guest {
  readonly scope: string;
  readonly priority: Priority;
  /** How often somebody who came later was let in before. */
  passedOver: number;
  readonly admit: () => void;
  readonly reject: (reason: unknown) => void;
}

/** After this often it is a background guest's turn, whoever else waits. */
const PATIENCE = 4;

export function createWaitingRoom(maxRunning: number, maxWaiting: number): WaitingRoom {
  const inside = new Map<string, number>();
  let guests: Guest[] = [];
  let running = 0;

  const admit = (scope: string): (() => void) => {
    running += 1;
    inside.set(scope, (inside.get(scope) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      running -= 1;
      const rest = (inside.get(scope) ?? 1) - 1;
      if (rest === 0) inside.delete(scope);
      else inside.set(scope, rest);
      letIn();
    };
  };

  function letIn(): void {
    while (running < maxRunning && guests.length > 0) {
      const next = best();
      const before = guests.indexOf(next);
      for (const guest of guests.slice(0, before)) guest.passedOver += 1;
      guests = guests.filter((guest) => guest !== next);
      next.admit();
    }
  }

  /** Guests stand in the order they came; the first of equals goes. */
  function best(): Guest {
    const rank = (guest: Guest) =>
      guest.passedOver >= PATIENCE ? -1 : guest.priority === 'interactive' ? 0 : 1;
    return guests.reduce((chosen, guest) => {
      const order = rank(guest) - rank(chosen);
      const fewer = (inside.get(guest.scope) ?? 0) - (inside.get(chosen.scope) ?? 0);
      return order < 0 || (order === 0 && fewer < 0) ? guest : chosen;
    });
  }

  return {
    running: () => running,
    waiting: () => guests.length,
    async enter(scope, priority, signal) {
      signal?.throwIfAborted();
      if (running < maxRunning && guests.length === 0) return admit(scope);
      if (guests.length >= maxWaiting) {
        throw new NearfieldError(
          'queue-full',
          `${running} conversations run and ${guests.length} wait, which is as many as may; try again later.`,
        );
      }
      return await new Promise((resolve, reject) => {
        const abort = () => {
          guests = guests.filter((other) => other !== guest);
          reject(signal?.reason);
        };
        const guest: Guest = {
          scope,
          priority,
          passedOver: 0,
          admit() {
            signal?.removeEventListener('abort', abort);
            resolve(admit(scope));
          },
          reject,
        };
        signal?.addEventListener('abort', abort, { once: true });
        guests.push(guest);
      });
    },
    close(reason) {
      const left = guests;
      guests = [];
      for (const guest of left) guest.reject(reason);
    },
  };
}
