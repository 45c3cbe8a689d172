// Owns reading rows and columns of figures out of a text: Markdown tables, values separated by commas, semicolons,
// tabs or blanks, arrays. Says where each cell is, what its column holds and what heads it; judges nothing.

/** A cell of a column of numbers. */
export interface Cell {
  readonly start: number;
  readonly end: number;
  /** As it is written. */
  readonly text: string;
  /** What stands in its row and is no number, and right above rows without a head. */
  readonly label: string;
  readonly column: Column;
}

export interface Column {
  /** What stands above it, or before an array; empty where nothing does. */
  readonly head: string;
  /** All its cells, as they are written; two at least. */
  readonly values: readonly string[];
}

export interface Grid {
  readonly start: number;
  readonly end: number;
  /** Where the first row of values begins. */
  readonly body: number;
  /** Cells of columns that hold nothing but numbers, in order. */
  readonly cells: readonly Cell[];
}

interface Slot {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Row {
  readonly start: number;
  readonly end: number;
  readonly slots: readonly Slot[];
}

/** Blanks inside set thousands apart and nothing else: `555 0199` is dialled. */
const NUMBER = /^[+-]?[$€£]?\s?(?:\d{1,3}(?:['\u00a0 ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*)\s?[%€£$]?$/;
const RULE = /^[\s:|+=-]+$/;
/** A line is cut by the first it has: a comma may stand inside a number, a blank anywhere. */
const SEPARATORS: readonly string[] = ['|', '\t', ';', ',', ' '];
const MOST_COLUMNS = 64;
/** `"visits": [120034, 440120]`, with or without a key. */
const ARRAY =
  /(?:["']([^"'\n]{1,60})["']\s{0,3}:\s{0,3})?\[((?:\s{0,4}[+-]?\d[\d.]{0,20}\s{0,4},){2,}\s{0,4}[+-]?\d[\d.]{0,20}\s{0,4})\]/g;
/** Five or more in a line. */
const SERIES = /(?<![\d.,])()((?:\d[\d.]{0,20}[,;] ?){4,}\d[\d.]{0,20})(?![\d])/g;

/** Every grid of `text`. Linear in the text. */
export function gridsOf(text: string): readonly Grid[] {
  return [...tablesOf(text), ...listsOf(text, ARRAY), ...listsOf(text, SERIES)];
}

function linesOf(text: string): readonly Slot[] {
  const lines: Slot[] = [];
  for (let start = 0; start <= text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    lines.push({ start, end, text: text.slice(start, end) });
    start = end + 1;
  }
  return lines;
}

/** Lines that follow one another and are cut by the same separator into as many cells, two at least. */
function tablesOf(text: string): Grid[] {
  const grids: Grid[] = [];
  let rows: Row[] = [];
  let separator = '';
  let above = '';
  const close = () => {
    const grid = rows.length > 1 ? gridOf(rows, above) : undefined;
    if (grid) grids.push(grid);
    rows = [];
  };
  let before = '';
  for (const line of linesOf(text)) {
    if (rows.length > 0 && RULE.test(line.text) && /-{2}|={2}/.test(line.text)) continue;
    const own = SEPARATORS.find((one) => line.text.trim().includes(one)) ?? '';
    const slots = slotsOf(line, own);
    if (own !== separator || rows[0]?.slots.length !== slots.length) close();
    if (slots.length > 1 && slots.length <= MOST_COLUMNS) {
      if (rows.length === 0) above = before;
      separator = own;
      rows.push({ start: line.start, end: line.end, slots });
    }
    before = line.text;
  }
  close();
  return grids;
}

/** What stands between separators; a bar before the first and after the last is the table's edge. */
function slotsOf(line: Slot, separator: string): Slot[] {
  if (separator === '') return [];
  const slots: Slot[] = [];
  let from = line.start;
  for (const raw of line.text.split(separator)) {
    const start = from + raw.length - raw.trimStart().length;
    // Cells set apart by blanks are set apart by as many as it takes.
    if (separator !== ' ' || raw !== '')
      slots.push({ start, end: start + raw.trim().length, text: raw.trim() });
    from += raw.length + 1;
  }
  if (slots[0]?.text === '') slots.shift();
  if (slots.at(-1)?.text === '') slots.pop();
  return slots;
}

/** `above` is the line before the first row, which says what the rows are where they have no head. */
function gridOf(rows: readonly Row[], above: string): Grid | undefined {
  const headed = rows[0]!.slots.some(({ text }, at) => !NUMBER.test(text) && isNumbers(rows, 1, at));
  const first = headed ? 1 : 0;
  const body = rows.slice(first);
  if (body.length < 2) return undefined;
  const columns = rows[0]!.slots.map(({ text }, at): Column | undefined =>
    isNumbers(rows, first, at)
      ? { head: headed ? text : '', values: body.map((row) => row.slots[at]!.text) }
      : undefined,
  );
  const cells = body.flatMap(({ slots }) => {
    const names = slots.flatMap(({ text }, at) => (columns[at] ? [] : [text]));
    const label = [headed ? '' : above, ...names].join(' ');
    return slots.flatMap((slot, at): Cell[] =>
      columns[at] ? [{ ...slot, label, column: columns[at] }] : [],
    );
  });
  if (cells.length === 0) return undefined;
  return { start: rows[0]!.start, end: rows.at(-1)!.end, body: body[0]!.start, cells };
}

/** From row `first` on, does this column hold numbers and nothing else? */
function isNumbers(rows: readonly Row[], first: number, column: number): boolean {
  return rows.length > first && rows.slice(first).every(({ slots }) => NUMBER.test(slots[column]!.text));
}

/** Numbers one after another, the pattern's second group; its first is what heads them. */
function listsOf(text: string, pattern: RegExp): Grid[] {
  return Array.from(text.matchAll(pattern), (match) => {
    const body = match.index + match[0].lastIndexOf(match[2]!);
    const numbers = [...match[2]!.matchAll(/[+-]?\d[\d.]*/g)];
    const column = { head: match[1] ?? '', values: numbers.map(([number]) => number) };
    const cells = numbers.map((number): Cell => {
      const start = body + number.index;
      return { start, end: start + number[0].length, text: number[0], label: '', column };
    });
    return { start: match.index, end: match.index + match[0].length, body, cells };
  });
}
