// Owns serving a built page beside the API at one origin: static files with the headers a private page
// needs. Cross-origin isolation gives the engine its threads; nothing here reads a body.
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { EdgeApp } from './app.ts';

type Fetch = (request: Request, env?: unknown) => Response | Promise<Response>;

/** `/v1/*` and `/healthz` are the edge's; every other path is a file of `folder`. */
export function withPages(edge: EdgeApp, folder: string): Fetch {
  const pages = createPages(folder);
  return (request, env) => {
    const { pathname } = new URL(request.url);
    const isApi = pathname.startsWith('/v1/') || pathname === '/healthz';
    return isApi ? edge.fetch(request, env as object) : pages.fetch(request, env as object);
  };
}

function createPages(folder: string): Hono {
  const pages = new Hono();
  // The page carries its own Content-Security-Policy; frames and referrers are refused here.
  pages.use(
    secureHeaders({
      crossOriginEmbedderPolicy: 'require-corp',
      crossOriginOpenerPolicy: 'same-origin',
      crossOriginResourcePolicy: 'same-origin',
      referrerPolicy: 'no-referrer',
      xFrameOptions: 'DENY',
      strictTransportSecurity: false,
    }),
  );
  pages.use(async (c, next) => {
    await next();
    // Built assets carry a hash in their names; everything else must be asked for again.
    const isHashed = c.res.ok && c.req.path.startsWith('/assets/');
    c.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
  });
  pages.get('*', serveStatic({ root: folder }));
  return pages;
}
