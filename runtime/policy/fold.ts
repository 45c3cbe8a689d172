// Owns folding: one plain ASCII-like spelling for what people and attackers write in Unicode. Invisible
// characters go, compatibility forms, digits of any script, look-alike letters and accents become what a
// reader takes them for.
import { createViewBuilder, type View } from './view.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is the range meant
const ASCII = /^[\x00-\x7f]*$/;

/** The folded view, or the view itself where nothing changes. */
export function fold(view: View): View {
  if (ASCII.test(view.text)) return view;
  const { text } = view;
  const builder = createViewBuilder(
    view,
    Math.min(text.length * 4, text.length + countWide(text) * LONGEST) + 16,
  );
  let plainFrom = 0;
  let grown = 0;
  for (let at = 0; at < text.length; ) {
    if (text.charCodeAt(at) < 0x80) {
      at += 1;
      continue;
    }
    const char = String.fromCodePoint(text.codePointAt(at) as number);
    builder.keep(plainFrom, at);
    const folded = foldChar(char);
    // Long compatibility forms (one sign, eighteen letters) may not outgrow what was set aside.
    grown += folded.length;
    builder.put(grown <= text.length * 3 ? folded : folded.slice(0, 1), at, at + char.length);
    at += char.length;
    plainFrom = at;
  }
  builder.keep(plainFrom, text.length);
  return builder.build();
}

/** The longest compatibility form, U+FDFA, is eighteen letters. */
const LONGEST = 18;

function countWide(text: string): number {
  let wide = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) wide += 1;
  return wide;
}

const known = new Map<string, string>();

function foldChar(char: string): string {
  const cached = known.get(char);
  if (cached !== undefined) return cached;
  const folded = foldUnknown(char);
  if (known.size < 4096) known.set(char, folded);
  return folded;
}

function foldUnknown(char: string): string {
  const code = char.codePointAt(0) as number;
  // Tag characters are invisible to people and plain ASCII to models.
  if (code >= 0xe0020 && code <= 0xe007e) return String.fromCharCode(code - 0xe0000);
  if (/[\p{Cf}\p{M}\u115f\u1160\u2800\u3164\uffa0]/u.test(char)) return '';
  const special = SPECIAL.get(char);
  if (special !== undefined) return special;
  if (/\p{Nd}/u.test(char)) return String(digitValue(code));
  if (/\p{Zs}/u.test(char)) return ' ';
  if (/\p{Pd}/u.test(char)) return '-';
  let made = '';
  for (const part of char.normalize('NFKD')) {
    if (/\p{M}/u.test(part)) continue;
    made += SPECIAL.get(part) ?? part;
  }
  return made;
}

/** Decimal digits come in runs of ten from zero; the mathematical ones are five such runs in a row. */
function digitValue(code: number): number {
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (code - first) % 10;
}

/** Look-alikes: what each letter of the first string is taken for. Source: Unicode confusables, chosen. */
const LOOK_ALIKES: readonly (readonly [string, string])[] = [
  ['абвгдезікмнопрсстухцьѕјԁԛԝһӏеёґ', 'a6brde3ikmhonpcctyxub' + 'sjdqwhleer'],
  ['АВСЕНІЈКМОРЅТХУԌԚԜҺӀЁГЗБ', 'ABCEHIJKMOPSTXYGQWHIEr36'],
  ['αβγδεηικνορτυχωϲϳσ', 'abydenikvoptuxwcjo'],
  ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ', 'ABEZHIKMNOPTYXCJ'],
  ['օոսհցզքյɑɡɩɪʟɴʀꜱʏᴀʙᴄᴅᴇɢʜᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢıȷ', 'onuhgqfjagiilnrsyabcdeghjkmoptuvwzij'],
  ['ßøłđðħŧØŁĐÐĦŦþ', 'solddhtOLDDHTp'],
  ['‘’‚‛′´', "''''''"],
  ['“”„″«»', '""""""'],
  ['。｡․·⋅∙٫٬⁄∕−＠﹫', '......,,//-@@'],
  ['❶❷❸❹❺❻❼❽❾➀➁➂➃➄➅➆➇➈➊➋➌➍➎➏➐➑➒⓵⓶⓷⓸⓹⓺⓻⓼⓽⓿🄌', '123456789123456789123456789123456789' + '00'],
  ['\u2028\u2029\u0085', '\n\n\n'],
];

const SPECIAL: ReadonlyMap<string, string> = new Map(
  LOOK_ALIKES.flatMap(([from, to]) => {
    const targets = Array.from(to);
    return Array.from(from, (char, at): [string, string] => [char, targets[at] ?? '']);
  }),
);
