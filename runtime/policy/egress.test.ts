// The one door to the network: what it lets out, what it counts, what it refuses.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EgressPermit, PolicyDecision, TierKind } from '../types.ts';
import { createCsp, createEgress, createFileFetch, PRESETS } from './index.ts';

const decision = (farthest: TierKind, hosts?: readonly string[]): PolicyDecision => ({
  farthest,
  sensitivity: 'none',
  rules: ['base'],
  explanation: '',
  redact: { edge: false, cloud: false },
  cacheable: true,
  spanCounts: {},
  ...(hosts && { hosts }),
});

interface Sent {
  readonly url: string;
  readonly init: RequestInit | undefined;
}

function open(
  over: { farthest?: TierKind; kind?: TierKind; host?: string | undefined; hosts?: readonly string[] } = {},
  answer: () => Response = () => new Response('ok'),
): EgressPermit & { readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const egress = createEgress({
    allowHosts: ['api.example', '127.0.0.1:8787', 'localhost', 'other.example'],
    fetch: async (url, init) => {
      sent.push({ url, init });
      return answer();
    },
  });
  const permit = egress.open({
    decision: decision(over.farthest ?? 'cloud', over.hosts),
    tier: { id: 't', kind: over.kind ?? 'cloud' },
    host: 'host' in over ? over.host : 'api.example',
  });
  return { ...permit, sent };
}

describe('what it refuses', () => {
  const denied: readonly [string, Parameters<typeof open>[0], string][] = [
    ['another host', {}, 'https://other.example/'],
    ['a host off the list', { host: 'evil.example' }, 'https://evil.example/'],
    ['a subdomain', {}, 'https://x.api.example/'],
    ['a suffix', {}, 'https://api.example.evil.test/'],
    ['a trailing dot', {}, 'https://api.example./'],
    ['another port', {}, 'https://api.example:8443/'],
    ['plain http', {}, 'http://api.example/'],
    ['credentials in the URL', {}, 'https://user:pass@api.example/'],
    ['a host before an at sign', {}, 'https://api.example@evil.example/'],
    ['a backslash trick', {}, 'https://evil.example\\@api.example/'],
    ['a data URL', {}, 'data:text/plain,hello'],
    ['a blob URL', {}, 'blob:https://api.example/1'],
    ['a websocket URL', {}, 'wss://api.example/'],
    ['a relative URL', {}, '/v1/chat'],
    ['a protocol-relative URL', {}, '//api.example/'],
    ['no host of its own', { host: undefined }, 'https://api.example/'],
    ['the device tier', { kind: 'device' }, 'https://api.example/'],
    ['a tier beyond the decision', { farthest: 'edge' }, 'https://api.example/'],
    ['any tier when nothing may leave', { farthest: 'device', kind: 'edge' }, 'https://api.example/'],
    ['a host a rule leaves out', { hosts: ['other.example'] }, 'https://api.example/'],
  ];

  it.each(denied)('%s', async (_name, over, url) => {
    const permit = open(over);
    await expect(permit.fetch(url, { method: 'POST', body: 'x' })).rejects.toMatchObject({
      code: 'egress-denied',
    });
    expect(permit.sent).toEqual([]);
    expect(permit.bytesOut()).toBe(0);
    expect(permit.hosts()).toEqual([]);
  });

  it.each([301, 302, 303, 307, 308])('a %i redirect, wherever it leads', async (status) => {
    const permit = open(
      {},
      () => new Response(null, { status, headers: { location: 'https://api.example/2' } }),
    );
    await expect(permit.fetch('https://api.example/')).rejects.toMatchObject({ code: 'egress-denied' });
    expect(permit.sent[0]?.init?.redirect).toBe('manual');
    expect(permit.bytesOut()).toBeGreaterThan(0);
  });

  it('a body over the limit', async () => {
    const egress = createEgress({
      allowHosts: ['api.example'],
      maxBodyBytes: 4,
      fetch: async () => new Response('ok'),
    });
    const tier = { id: 't', kind: 'edge' } as const;
    const permit = egress.open({ decision: decision('edge'), tier, host: 'api.example' });
    const sending = permit.fetch('https://api.example/', { method: 'POST', body: 'hello' });
    await expect(sending).rejects.toMatchObject({ code: 'payload-too-large' });
  });
});

describe('what it lets out', () => {
  it('loopback over http, and its own host over https', async () => {
    const local = open({ host: '127.0.0.1:8787' });
    expect((await local.fetch('http://127.0.0.1:8787/v1')).status).toBe(200);
    const permit = open({ kind: 'edge', farthest: 'edge' });
    await permit.fetch('https://api.example:443/v1#part');
    expect(permit.sent[0]?.url).toBe('https://api.example/v1');
    expect(permit.hosts()).toEqual(['api.example']);
  });

  it('without cookies or referrer', async () => {
    const permit = open();
    await permit.fetch('https://api.example/', { credentials: 'include', referrerPolicy: 'unsafe-url' });
    expect(permit.sent[0]?.init).toMatchObject({ credentials: 'omit', referrerPolicy: 'no-referrer' });
  });

  const stream = () => new Blob(['héllo']).stream();
  const form = new URLSearchParams({ a: 'é' });
  it.each<[string, BodyInit, number]>([
    ['a string', 'héllo', 6],
    ['bytes', new TextEncoder().encode('héllo'), 6],
    ['a buffer', new TextEncoder().encode('héllo').buffer, 6],
    ['a blob', new Blob(['héllo']), 6],
    ['a stream', stream(), 6],
    ['a form', form, 8],
  ])('counts URL, headers and %s to the byte', async (_name, body, bytes) => {
    const permit = open();
    const headers = { 'content-type': 'text/plain', 'x-a': 'b' };
    await permit.fetch('https://api.example/v1', { method: 'POST', headers, body });
    const sent = permit.sent[0]!.init!;
    expect((sent.body as Uint8Array).byteLength).toBe(bytes);
    const heads = 'content-type: text/plain\r\nx-a: b\r\n'.length;
    expect(permit.bytesOut()).toBe('https://api.example/v1'.length + heads + bytes);
    await permit.fetch('https://api.example/v1', { headers });
    expect(permit.bytesOut()).toBe(2 * ('https://api.example/v1'.length + heads) + bytes);
  });

  it('a Request object, its body and its headers', async () => {
    const permit = open();
    const request = new Request('https://api.example/v1', {
      method: 'PUT',
      headers: { 'x-a': 'b' },
      body: 'hey',
    });
    await permit.fetch(request);
    const sent = permit.sent[0]!.init!;
    expect(sent.method).toBe('PUT');
    expect(new TextDecoder().decode(sent.body as Uint8Array)).toBe('hey');
    expect(new Headers(sent.headers).get('x-a')).toBe('b');
  });

  it('reads the platform fetch when called, so a page cannot be handed an older one', async () => {
    const egress = createEgress({ allowHosts: ['api.example'] });
    const tier = { id: 't', kind: 'edge' } as const;
    const permit = egress.open({ decision: decision('edge'), tier, host: 'api.example' });
    const platform = globalThis.fetch;
    const seen: string[] = [];
    globalThis.fetch = async (url) => {
      seen.push(String(url));
      return new Response('ok');
    };
    try {
      await permit.fetch('https://api.example/v1');
    } finally {
      globalThis.fetch = platform;
    }
    expect(seen).toEqual(['https://api.example/v1']);
  });
});

describe('public files', () => {
  it('come from their own hosts alone, and over no wire that others read', async () => {
    const sent: string[] = [];
    const allowHosts = ['files.example', '127.0.0.1:8787'];
    const files = createFileFetch({
      allowHosts,
      fetch: async (url) => {
        sent.push(url);
        return new Response('ok');
      },
    });
    const allowed = ['https://files.example/model', 'http://127.0.0.1:8787/model'];
    for (const url of allowed) await files(url);
    for (const url of ['https://other.example/', 'http://files.example/model']) {
      await expect(files(url)).rejects.toMatchObject({ code: 'egress-denied' });
    }
    expect(sent).toEqual(allowed);
  });
});

describe('the one place', () => {
  it('no other file of the policy names the platform fetch or another way out', () => {
    const folder = new URL('./', import.meta.url);
    const sources = readdirSync(folder).filter(
      (file) => /^[\w.-]+\.ts$/.test(file) && !/test|fixture/.test(file),
    );
    const doors =
      /\bfetch\s*\(|globalThis\.fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|WebTransport|RTCPeer/;
    const using = sources.filter((file) => doors.test(readFileSync(new URL(file, folder), 'utf8')));
    expect(using).toEqual(['egress.ts']);
  });
});

describe('Content-Security-Policy', () => {
  it('opens the page itself and the named hosts, nothing else', () => {
    const csp = createCsp('balanced', ['api.example', '127.0.0.1:8787']);
    expect(csp).toContain("default-src 'none'");
    expect(csp).toContain("connect-src 'self' https://api.example http://127.0.0.1:8787;");
    expect(csp).not.toContain('*');
    expect(csp).not.toContain('unsafe-inline');
    expect(csp).not.toContain("'unsafe-eval'");
  });

  it('opens no host for a device-only document, and only those a document names', () => {
    const base = { ...PRESETS.balanced.base, farthest: 'device' as const };
    expect(createCsp({ ...PRESETS.balanced, base }, ['api.example'])).toContain("connect-src 'self';");
    const hosts = [{ host: 'b.example', tier: 'edge' as const }];
    const csp = createCsp({ ...PRESETS.balanced, hosts }, ['api.example', 'b.example']);
    expect(csp).toContain("connect-src 'self' https://b.example;");
  });

  it.each(["x'; script-src *", 'a.example b.example', 'https://a.example', '*.example'])(
    'refuses %s as a host',
    (host) => {
      expect(() => createCsp('balanced', [host])).toThrowError(
        expect.objectContaining({ code: 'invalid-request' }),
      );
    },
  );
});
