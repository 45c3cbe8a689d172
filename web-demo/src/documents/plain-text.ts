// Owns turning a file's characters into the text that is indexed and shown. Pure: the same text is kept, so
// offsets found in it hold in the viewer.

/** Line endings made one, control characters and byte order mark gone, long runs of blank lines shortened. */
export function tidyText(text: string): string {
  return (
    text
      .replace(/^\uFEFF/, '')
      .replace(/\r\n?|\u2028|\u2029/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\u0000-\u0008\u000B\u000E-\u001F\u007F]/g, '')
      .replace(/\f/g, '\n\n')
      .replace(/[^\S\n]+\n/g, '\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim()
  );
}

/** Marks of Markdown that would stand in an extracted sentence; the words and the blocks stay. */
export function markdownToText(source: string): string {
  return tidyText(source)
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^#{1,6}\s+(.*?)\s*#*$/gm, '$1\n')
    .replace(/(\*\*|__)(?=\S)([^*_\n]+?)\1/g, '$2')
    .replace(/^(?:[-*_]\s*){3,}$/gm, '')
    .replace(/`([^`\n]+)`/g, '$1')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** Each row as "column: value" pairs, so a sentence of it makes sense on its own. */
export function csvToText(source: string): string {
  const rows = parseCsv(tidyText(source));
  const [head, ...body] = rows;
  if (head === undefined || body.length === 0) return rows.map((row) => row.join(', ')).join('\n\n');
  return body
    .map((row) =>
      row.flatMap((cell, at) => (cell === '' ? [] : [`${head[at] ?? at + 1}: ${cell}`])).join('; '),
    )
    .filter((line) => line !== '')
    .map((line) => `${line}.`)
    .join('\n\n');
}

/** RFC 4180 with the separator guessed from the first line: comma, semicolon or tab. */
export function parseCsv(source: string): readonly (readonly string[])[] {
  const firstLine = source.slice(0, source.indexOf('\n') + 1 || source.length);
  const count = (separator: string): number => firstLine.split(separator).length;
  const separator = [',', ';', '\t'].reduce((best, next) => (count(next) > count(best) ? next : best));
  const rows: string[][] = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at]!;
    if (quoted) {
      if (character !== '"') cell += character;
      else if (source[at + 1] === '"') cell += source[at++]!;
      else quoted = false;
    } else if (character === '"' && cell === '') quoted = true;
    else if (character === separator || character === '\n') {
      rows.at(-1)!.push(cell.trim());
      cell = '';
      if (character === '\n') rows.push([]);
    } else cell += character;
  }
  rows.at(-1)!.push(cell.trim());
  return rows.filter((row) => row.some((value) => value !== ''));
}
