// Owns reading something asynchronous for a page: again when told, never after the page is gone.
import { useEffect, useState } from 'preact/hooks';

/** The value once it is there; `again` reads it anew. A failed read leaves the last value. */
export function useLoaded<T>(load: () => Promise<T>, key: unknown): readonly [T | undefined, () => void] {
  const [value, setValue] = useState<T>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      (loaded) => {
        if (current) setValue(() => loaded);
      },
      () => {},
    );
    return () => {
      current = false;
    };
  }, [key, round]);
  return [value, () => setRound((count) => count + 1)];
}
