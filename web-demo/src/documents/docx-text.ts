// Owns Word (.docx) to text: the main part of the zip, inflated by the platform, its paragraphs in order.
// Reads that one part only; pictures, macros and links are never opened.
import { tidyText } from './plain-text.ts';

const MAX_PART_BYTES = 50_000_000; // a zip can promise far more than it holds
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const PART = 'word/document.xml';

/** @throws Error when the file is no zip or holds no Word document. */
export async function docxToText(buffer: ArrayBuffer): Promise<string> {
  return tidyText(xmlToText(new TextDecoder().decode(await readPart(buffer, PART))));
}

/** Paragraphs, tabs and breaks of WordprocessingML; deleted text under change tracking is left out. */
export function xmlToText(xml: string): string {
  return xml
    .replace(/<w:(?:delText|instrText)\b[^>]*>[^<]*<\/w:(?:delText|instrText)>/g, '')
    .replace(/<w:tab\b[^>]*\/>/g, '\t')
    .replace(/<w:(?:br|cr)\b[^>]*\/>/g, '\n')
    .replace(/<\/w:p>/g, '\n\n')
    .replace(/<[^>]+>/g, '')
    .replace(/&(lt|gt|quot|apos|amp|#x?[0-9a-f]+);/gi, (_, name: string) => entity(name));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function entity(name: string): string {
  if (!name.startsWith('#')) return ENTITIES[name.toLowerCase()] ?? '';
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** Layout by APPNOTE.TXT, sections 4.3.12 and 4.3.16. */
async function readPart(buffer: ArrayBuffer, wanted: string): Promise<Uint8Array> {
  const view = new DataView(buffer);
  let at = directoryOffset(view);
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === DIRECTORY_ENTRY) {
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(buffer, at + 46, nameBytes));
    if (name === wanted) return await inflate(buffer, view, at);
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  throw new Error(`Expected ${wanted} in the file, found none.`);
}

function directoryOffset(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 65_557); at -= 1) {
    if (view.getUint32(at, true) === END_OF_DIRECTORY) return view.getUint32(at + 16, true);
  }
  throw new Error('Expected a zip file, found no directory at its end.');
}

async function inflate(buffer: ArrayBuffer, view: DataView, entry: number): Promise<Uint8Array> {
  const method = view.getUint16(entry + 10, true);
  const packedBytes = view.getUint32(entry + 20, true);
  const local = view.getUint32(entry + 42, true);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const packed = new Uint8Array(buffer, start, packedBytes);
  if (method === 0) return packed;
  if (method !== 8) throw new Error(`Expected a stored or deflated part, found method ${method}.`);
  const chunks: Uint8Array[] = [];
  let total = 0;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  for await (const chunk of stream) {
    total += chunk.byteLength;
    if (total > MAX_PART_BYTES) throw new Error('The document is too large once unpacked.');
    chunks.push(chunk);
  }
  const whole = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
