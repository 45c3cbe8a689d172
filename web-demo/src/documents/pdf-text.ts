// Owns PDF to text, in a worker of its own so a long file never freezes the page. The worker ends with the
// file. Scripts in a PDF are never run and nothing is drawn.
import type { PdfOrder, PdfReply } from './pdf-worker.ts';

const TIMEOUT_MS = 60_000; // no measurement behind it: long enough for a book, short enough to give up on a bomb

export function pdfToText(buffer: ArrayBuffer): Promise<string> {
  const worker = new Worker(new URL('./pdf-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The PDF took too long.')), TIMEOUT_MS);
    worker.onerror = (event) => reject(new Error(event.message));
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<PdfReply>) => {
      clearTimeout(timer);
      if ('text' in data) resolve(data.text);
      else reject(new Error(data.error));
    };
    worker.postMessage({ file: buffer, port: port2 } satisfies PdfOrder, [buffer, port2]);
  }).finally(() => worker.terminate());
}
