// Owns pages of keys and values: given out, shared by count, copied when one of several owners writes, taken
// back. Memory grows a few pages at a time up to the budget and never shrinks; free pages are used again.
import { NearfieldError } from '../../errors.ts';

const GROW_BYTES = 4 * 2 ** 20;
const WASM_PAGE = 65536;

export interface PagePool {
  /** Bytes of pages somebody holds. */
  readonly usedBytes: number;
  /** Address of a page of one's own. @throws out-of-memory */
  take(): number;
  /** One owner more. */
  share(page: number): void;
  /** One owner less; the last one frees it. */
  release(page: number): void;
  /** The page itself for its only owner, else a copy of one's own. @throws out-of-memory */
  own(page: number): number;
  /** Lets go of the memory: whoever still holds a sequence holds no weights. */
  drop(): void;
}

/** `start`: first byte the pool may use. */
export function createPagePool(
  memory: WebAssembly.Memory,
  start: number,
  pageBytes: number,
  budgetBytes: number,
): PagePool {
  let held: WebAssembly.Memory | undefined = memory;
  const owners = new Map<number, number>();
  const free: number[] = [];
  let next = start;
  const most = Math.floor(budgetBytes / pageBytes);

  const grow = (): void => {
    const { byteLength } = held!.buffer;
    const missing = next + pageBytes - byteLength;
    if (missing <= 0) return;
    const limit = start + most * pageBytes - byteLength;
    const wanted = Math.ceil(Math.max(missing, Math.min(GROW_BYTES, limit)) / WASM_PAGE);
    try {
      held!.grow(wanted);
    } catch (cause) {
      throw new NearfieldError('out-of-memory', 'The platform refused memory for keys and values.', {
        cause,
      });
    }
  };

  const take = (): number => {
    if (owners.size >= most) {
      const text = `Keys and values may take ${budgetBytes} bytes and all are taken. Close a conversation or raise cacheBytes.`;
      throw new NearfieldError('out-of-memory', text);
    }
    let page = free.pop();
    if (page === undefined) {
      grow();
      page = next;
      next += pageBytes;
    }
    owners.set(page, 1);
    return page;
  };

  const release = (page: number): void => {
    const left = owners.get(page)! - 1;
    if (left > 0) {
      owners.set(page, left);
      return;
    }
    owners.delete(page);
    free.push(page);
  };

  return {
    get usedBytes() {
      return owners.size * pageBytes;
    },
    take,
    share: (page) => void owners.set(page, owners.get(page)! + 1),
    release,
    own(page) {
      if (owners.get(page) === 1) return page;
      const copy = take();
      new Uint8Array(held!.buffer).copyWithin(copy, page, page + pageBytes);
      release(page);
      return copy;
    },
    drop() {
      held = undefined;
    },
  };
}
