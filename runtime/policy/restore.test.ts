import { describe, expect, it } from 'vitest';
import type { TierPart } from '../types.ts';
import { seeded } from './canaries.fixture.ts';
import { createPolicy, createRestorer, type PolicyDocument, PRESETS } from './index.ts';
import { ask, delta, redact, streamOf } from './redaction.fixture.ts';

/** Each call's arguments, put together. */
async function argumentsOf(parts: AsyncIterable<TierPart>): Promise<string[]> {
  const calls: string[] = [];
  for await (const part of parts) {
    if (part.type === 'tool-call-delta') calls[part.index] = (calls[part.index] ?? '') + part.argumentsText;
  }
  return calls;
}

describe('restoring a stream', () => {
  const table = new Map([
    ['[EMAIL_1_k7qx]', 'ana@example.com'],
    ['[EMAIL_11_k7qx]', 'bob@example.com'],
    ['[PERSON_1_k7qx]', 'Ana [EMAIL_1_k7qx] Souza'],
  ]);
  const longest = '[PERSON_1_k7qx]'.length;
  const answer =
    'Dear [PERSON_1_k7qx], [[EMAIL_1_k7qx]] is not [EMAIL_11_k7qx]; [EMAIL_1_k7q [x] [EMAIL_1_k7qx]';
  const whole =
    'Dear Ana [EMAIL_1_k7qx] Souza, [ana@example.com] is not bob@example.com; [EMAIL_1_k7q [x] ana@example.com';

  it('is right at every pair of splits, holding back less than one placeholder', () => {
    for (let a = 0; a <= answer.length; a += 1) {
      for (let b = a; b <= answer.length; b += 1) {
        const restorer = createRestorer(table);
        let given = 0;
        let out = '';
        let last = 0;
        for (const cut of [a, b, answer.length]) {
          const ready = restorer.push(answer.slice(last, cut));
          out += ready;
          last = cut;
          given = out.length;
        }
        const rest = restorer.flush();
        expect(rest.length).toBeLessThan(longest);
        expect(given + rest.length).toBe(whole.length);
        expect(out + rest).toBe(whole);
      }
    }
  });

  it('holds back only what could still become a placeholder', () => {
    const restorer = createRestorer(table);
    expect(restorer.push('a [')).toBe('a ');
    expect(restorer.push('x')).toBe('[x');
    expect(restorer.push('[EMAIL_1')).toBe('');
    expect(restorer.push('2')).toBe('[EMAIL_12');
    expect(restorer.flush()).toBe('');
  });

  it('0 wrong restores over 100,000 random splits and edits', () => {
    const next = seeded(11);
    const placeholders = [...table.keys()];
    const originals = [...table.values()];
    const noise = 'aE[]_1k7qx \n()`.:/'.split('');
    let wrong = 0;
    for (let round = 0; round < 100_000; round += 1) {
      let text = '';
      for (let piece = 0; piece < 3; piece += 1) {
        const placeholder = placeholders[next(placeholders.length)]!;
        text += next(2) === 0 ? placeholder : damage(placeholder, next, noise);
        text += noise[next(noise.length)];
      }
      const restorer = createRestorer(table);
      let out = '';
      for (let at = 0; at < text.length; ) {
        const step = 1 + next(9);
        out += restorer.push(text.slice(at, at + step));
        at += step;
      }
      out += restorer.flush();
      if (!plausible(text, out, placeholders, originals)) wrong += 1;
    }
    expect(wrong).toBe(0);
  });
});

/** One character put in, taken out, changed or changed in case. */
function damage(text: string, next: (below: number) => number, noise: readonly string[]): string {
  const at = next(text.length);
  const char = text.charAt(at);
  const flipped = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
  const changes = ['', `${char}${noise[next(noise.length)]}`, noise[next(noise.length)]!, flipped];
  return text.slice(0, at) + changes[next(4)] + text.slice(at + 1);
}

/** The output is the input with some exact placeholders, and nothing else, put back. */
function plausible(
  text: string,
  out: string,
  placeholders: readonly string[],
  originals: readonly string[],
): boolean {
  let from = 0;
  let to = 0;
  while (from < text.length) {
    const which = placeholders.findIndex((one) => text.startsWith(one, from));
    if (which >= 0 && out.startsWith(originals[which]!, to)) {
      from += placeholders[which]!.length;
      to += originals[which]!.length;
    } else if (text.charAt(from) === out.charAt(to)) {
      from += 1;
      to += 1;
    } else return false;
  }
  return to === out.length;
}

describe('where placeholders stay as they are', () => {
  const table = new Map([['[EMAIL_1_k7qx]', 'ana@example.com']]);
  const P = '[EMAIL_1_k7qx]';
  const stays: readonly [string, string][] = [
    ['a URL query', `see https://evil.example/?q=${P}`],
    ['a URL path', `see https://evil.example/${P}/x`],
    ['a URL host', `http://${P}.evil.example/`],
    ['a bare domain with a path', `evil.example/?q=${P}`],
    ['a www address', `www.${P}.example`],
    ['a mailto', `mailto:${P}`],
    ['a link target', `[click](https://evil.example/?q=${P})`],
    ['a link target with spaces', `[click](<https://evil.example/?q=a b ${P}>)`],
    ['an image', `![](https://evil.example/${P}.png)`],
    ['a protocol-relative image', `![x](//evil.example/${P})`],
    ['a reference definition', `![x][r]\n\n[r]: https://evil.example/?q=${P}`],
    ['a reference definition, no scheme', `[r]: //evil.example/?q=${P}`],
    ['an HTML attribute', `<img src="https://evil.example/?q=a b ${P}">`],
    ['an HTML attribute over lines', `<img src="https://evil.example/?q=\n\n${P}">`],
    ['an attribute after one with a bracket', `<img alt=\n">" src="https://evil.example/?q=a ${P}">`],
    ['an attribute after a tab', `<img alt=\t">" src="https://evil.example/?q=a ${P}">`],
    ['an attribute after a blank line', `<img\n\nsrc="https://evil.example/?q=a ${P}">`],
    ['an attribute of a tag over lines', `<img alt=x\n\nsrc = ' //evil.example/?q=a ${P}'>`],
    ['a CSS url', `background:url(https://evil.example/${P})`],
    ['a CSS url in quotes', `<style>a{background:url("https://evil.example/?q=a ${P}")}</style>`],
    ['an image of TeX', `$$\\includegraphics{https://evil.example/?q=a ${P}}$$`],
    ['an import', `<style>@import "https://evil.example/?q=a ${P}";</style>`],
    ['another script’s domain', `例え.みんな/?q=${P}`],
    ['a code fence', `text\n\`\`\`js\nsend("${P}")\n\`\`\`\n`],
    ['a tilde fence', `~~~\n${P}\n~~~`],
    ['an unfinished fence', `\`\`\`\n${P}`],
    ['a fence in a quotation', `> \`\`\`\n> ${P}\n> \`\`\``],
    ['inline code', `run \`echo ${P}\` now`],
    ['double backticks', `run \`\` a \` ${P} \`\` now`],
  ];

  it.each(stays)('%s, at every split', (_name, text) => {
    for (let cut = 0; cut <= text.length; cut += 1) {
      const restorer = createRestorer(table);
      const out = restorer.push(text.slice(0, cut)) + restorer.push(text.slice(cut)) + restorer.flush();
      expect(out).toBe(text);
    }
  });

  const goes: readonly [string, string][] = [
    ['plain prose', `Write to ${P}.`],
    ['after a URL', `see https://a.example/x then ${P}`],
    ['after a link', `[a](https://a.example) ${P}`],
    ['after an image', `![a](https://a.example/a.png)\n${P}`],
    ['after a fence', `\`\`\`\ncode\n\`\`\`\n${P}`],
    ['after inline code', `\`a\` ${P}`],
    ['after a tag', `<b>${P}</b>`],
    ['after a lone backtick and a blank line', `it\`s\n\n${P}`],
    ['after less-than', `1 < 2 and ${P}`],
    ['after a label', `Email: ${P}`],
    ['in bold', `**${P}**`],
    ['in brackets and quotes', `She said ("write to ${P}") and left`],
    ['after a quotation with a link', `("see https://a.example/x") then ${P}`],
    ['in a form’s line', `name="${P}"`],
    ['in a table', `| ${P} |`],
    ['as link text', `[${P}](https://a.example)`],
  ];

  it.each(goes)('but not %s', (_name, text) => {
    const restorer = createRestorer(table);
    expect(restorer.push(text) + restorer.flush()).toBe(text.replace(P, 'ana@example.com'));
  });

  it('unless the policy says otherwise', async () => {
    const document: PolicyDocument = { ...PRESETS.balanced, restoreIn: ['url', 'code', 'tool-arguments'] };
    const redacted = await redact(ask('my name is "Ana Souza", ana@example.com'), createPolicy(document));
    const placeholder = /\[EMAIL_\w+\]/.exec(String(redacted.request.messages[0]?.content))![0];
    const parts: TierPart[] = [];
    const answer = streamOf(
      delta(`https://a.example/${placeholder} \`${placeholder}\``),
      {
        type: 'tool-call-delta',
        index: 0,
        id: 'c',
        name: 'send',
        argumentsText: `{"to":"${placeholder.slice(0, 5)}`,
      },
      { type: 'tool-call-delta', index: 0, argumentsText: `${placeholder.slice(5)}"}` },
      { type: 'finish', finishReason: 'tool_calls' },
    );
    for await (const part of redacted.restore(answer)) parts.push(part);
    expect(JSON.stringify(parts)).not.toContain('EMAIL_');
    const told = parts.map((part) => (part.type === 'tool-call-delta' ? part.argumentsText : '')).join('');
    expect(JSON.parse(told)).toEqual({ to: 'ana@example.com' });
  });

  it('in several tool calls, each on its own, wherever the stream cuts their arguments', async () => {
    const document: PolicyDocument = { ...PRESETS.balanced, restoreIn: ['tool-arguments'] };
    const redacted = await redact(
      ask('I am ana@example.com, and "bob"@example.com is my brother, +1 415 555 2671'),
      createPolicy(document),
    );
    const text = String(redacted.request.messages[0]?.content);
    const found = [...text.matchAll(/\[(?:EMAIL|PHONE)_\w+\]/g)].map(([placeholder]) => placeholder);
    expect(found.length).toBeGreaterThan(1);
    const inputs = found.map((placeholder, at) => JSON.stringify({ at, to: placeholder, all: text }));
    const restored = inputs.map((input) => {
      const known = redacted.restore(streamOf({ type: 'tool-call-delta', index: 0, argumentsText: input }));
      return argumentsOf(known);
    });
    const whole = (await Promise.all(restored)).map((calls) => calls[0]!);
    expect(whole.join()).not.toMatch(/EMAIL_|PHONE_/);
    for (let size = 1; size <= 40; size += 1) {
      const parts: TierPart[] = [];
      const longest = Math.max(...inputs.map((input) => input.length));
      // Pieces of one call come between pieces of another.
      for (let at = 0; at < longest; at += size) {
        for (const [index, input] of inputs.entries()) {
          const argumentsText = input.slice(at, at + size);
          if (argumentsText !== '') parts.push({ type: 'tool-call-delta', index, argumentsText });
        }
      }
      expect(await argumentsOf(redacted.restore(streamOf(...parts)))).toEqual(whole);
    }
  });

  it('tool arguments, by default', async () => {
    const redacted = await redact(ask('ana@example.com'));
    const argumentsText = `{"to":"${redacted.request.messages[0]?.content}"}`;
    for await (const part of redacted.restore(
      streamOf({ type: 'tool-call-delta', index: 0, argumentsText }),
    )) {
      expect(part).toMatchObject({ argumentsText });
    }
    // However many calls there are, and wherever a placeholder stands in them.
    const parts: TierPart[] = ['a', 'b', 'c'].flatMap((name, index) => [
      { type: 'tool-call-delta', index, id: name, name, argumentsText: '' },
      ...[...argumentsText].map(
        (letter): TierPart => ({ type: 'tool-call-delta', index, argumentsText: letter }),
      ),
    ]);
    const again = redacted.restore(streamOf(...parts));
    expect(await argumentsOf(again)).toEqual([argumentsText, argumentsText, argumentsText]);
  });
});
