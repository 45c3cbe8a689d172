// The database's way out: its own host alone, and the libSQL client over it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@libsql/client';
import { describe, expect, it } from 'vitest';
import { createDatabaseFetch, type PlatformFetch } from './egress.ts';

function setup(url: string, status = 200) {
  const sent: { url: string; init: RequestInit | undefined }[] = [];
  const fetch: PlatformFetch = async (to, init) => {
    sent.push({ url: to, init });
    return new Response('{}', { status, headers: { location: 'https://elsewhere.example/' } });
  };
  return { sent, fetch: createDatabaseFetch({ url, fetch, maxBodyBytes: 100 }) };
}

describe('createDatabaseFetch', () => {
  it('reaches its own host, with the body and without cookies', async () => {
    const { sent, fetch } = setup('libsql://db.example');
    await fetch(new Request('https://db.example/v2/pipeline', { method: 'POST', body: 'SELECT 1' }));
    expect(sent[0]).toMatchObject({
      url: 'https://db.example/v2/pipeline',
      init: { method: 'POST', redirect: 'manual', credentials: 'omit' },
    });
  });

  it.each([
    ['another host', 'https://elsewhere.example/'],
    ['a subdomain', 'https://a.db.example/'],
    ['another port', 'https://db.example:444/'],
    ['plain http', 'http://db.example/'],
    ['credentials in the URL', 'https://me:pw@db.example/'],
    ['no absolute URL', '/v2'],
  ])('denies %s, and sends nothing', async (_name, url) => {
    const { sent, fetch } = setup('libsql://db.example');
    await expect(fetch(url)).rejects.toMatchObject({ code: 'egress-denied' });
    expect(sent).toHaveLength(0);
  });

  it('follows no redirect, and sends no body too large', async () => {
    await expect(setup('https://db.example', 307).fetch('https://db.example/')).rejects.toMatchObject({
      code: 'egress-denied',
    });
    const { sent, fetch } = setup('https://db.example');
    const big = fetch('https://db.example/', { method: 'POST', body: 'x'.repeat(101) });
    await expect(big).rejects.toMatchObject({ code: 'payload-too-large' });
    expect(sent).toHaveLength(0);
  });

  it('carries the libSQL client, which asks through nothing else', async () => {
    const server = createServer((_request, response) => response.writeHead(500).end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const seen: string[] = [];
    const fetch = createDatabaseFetch({
      url,
      fetch: async (to, init) => {
        seen.push(new URL(to).pathname);
        return await globalThis.fetch(to, init);
      },
    });
    let arrived = 0;
    server.on('request', () => {
      arrived += 1;
    });
    const client = createClient({ url, fetch });
    await client.execute('SELECT 1').catch(() => undefined);
    client.close();
    server.close();
    expect(seen.length).toBeGreaterThan(0);
    expect(arrived).toBe(seen.length);
  });
});
