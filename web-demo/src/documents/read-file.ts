// Owns reading one file into plain text. Everything happens in this page; the heavy readers load only when
// a file needs them. Refuses files over the limit before reading them.
import { type FileKind, kindOf, MAX_FILE_BYTES, titleOf } from './file-kind.ts';
import { csvToText, markdownToText, tidyText } from './plain-text.ts';

export interface ReadDocument {
  readonly title: string;
  readonly text: string;
  readonly kind: FileKind;
  readonly bytes: number;
}

export type ReadFailure = 'docs.tooLarge' | 'docs.unreadable' | 'docs.noText' | 'docs.unsupported';

/** Why a file was not taken; `reason` is a message key. */
export class ReadError extends Error {
  readonly reason: ReadFailure;
  constructor(reason: ReadFailure, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}

type Reader = (file: Blob) => Promise<string>;

const READERS: Readonly<Record<FileKind, Reader>> = {
  text: async (file) => tidyText(await decode(file)),
  markdown: async (file) => markdownToText(await decode(file)),
  csv: async (file) => csvToText(await decode(file)),
  html: async (file) => (await import('./html-text.ts')).htmlToText(await decode(file)),
  pdf: async (file) => (await import('./pdf-text.ts')).pdfToText(await file.arrayBuffer()),
  docx: async (file) => (await import('./docx-text.ts')).docxToText(await file.arrayBuffer()),
};

/** @throws ReadError */
export async function readDocument(file: File): Promise<ReadDocument> {
  const kind = kindOf(file.name, file.type);
  if (kind === undefined) throw new ReadError('docs.unsupported');
  if (file.size > MAX_FILE_BYTES) throw new ReadError('docs.tooLarge');
  const text = await READERS[kind](file).catch((cause: unknown) => {
    throw new ReadError('docs.unreadable', { cause });
  });
  if (!/\p{L}/u.test(text)) throw new ReadError('docs.noText');
  return { title: titleOf(file.name), text, kind, bytes: file.size };
}

/** UTF-8, UTF-16 by its mark, else Windows-1252, which reads any byte. */
async function decode(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
