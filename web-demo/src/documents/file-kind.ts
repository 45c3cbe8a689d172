// Owns which files the page reads and how large they may be. Decided by name first: browsers often leave a
// dropped file's type empty.

export type FileKind = 'text' | 'markdown' | 'html' | 'csv' | 'pdf' | 'docx';

export const MAX_FILE_BYTES = 20_000_000;

const BY_EXTENSION: Readonly<Record<string, FileKind>> = {
  txt: 'text',
  text: 'text',
  log: 'text',
  md: 'markdown',
  markdown: 'markdown',
  html: 'html',
  htm: 'html',
  csv: 'csv',
  tsv: 'csv',
  pdf: 'pdf',
  docx: 'docx',
};

const BY_TYPE: Readonly<Record<string, FileKind>> = {
  'text/plain': 'text',
  'text/markdown': 'markdown',
  'text/html': 'html',
  'text/csv': 'csv',
  'application/pdf': 'pdf',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
};

/** For the file picker's `accept`. */
export const ACCEPTED: string = Object.keys(BY_EXTENSION)
  .map((extension) => `.${extension}`)
  .join(',');

export function kindOf(name: string, type = ''): FileKind | undefined {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return BY_EXTENSION[extension] ?? BY_TYPE[type.split(';')[0]!.trim().toLowerCase()];
}

/** The name without its extension, for a title. */
export function titleOf(name: string): string {
  const bare = name.replace(/\.[a-z0-9]{1,8}$/i, '').trim();
  return bare === '' ? name : bare;
}
