// Owns the PDF reader's thread: bytes in, text out, once.
import { getDocumentProxy } from 'unpdf';
import { linesToText, type PdfLine } from './pdf-lines.ts';

export interface PdfOrder {
  readonly file: ArrayBuffer;
  /** Where the reply goes: PDF.js takes the worker's own port for itself when it loads. */
  readonly port: MessagePort;
}

export type PdfReply = { readonly text: string } | { readonly error: string };

self.addEventListener('message', async ({ data }: MessageEvent<Partial<PdfOrder>>) => {
  if (data.file !== undefined) data.port?.postMessage(await reply(data.file));
});

async function reply(buffer: ArrayBuffer): Promise<PdfReply> {
  try {
    return { text: await textOf(new Uint8Array(buffer)) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : 'The PDF could not be read.' };
  }
}

async function textOf(bytes: Uint8Array): Promise<string> {
  const pdf = await getDocumentProxy(bytes, { isEvalSupported: false, disableFontFace: true });
  const pages: string[] = [];
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    const lines: PdfLine[] = [];
    for (const item of items) {
      if (!('str' in item)) continue;
      lines.push({
        text: item.str,
        endsLine: item.hasEOL,
        height: item.height,
        y: Number(item.transform[5] ?? 0),
      });
    }
    pages.push(linesToText(lines));
    page.cleanup();
  }
  return pages.join('\n\n');
}
