// Owns where the edge worker is: the page's own origin unless its <meta name="nearfield-edge"> says another
// URL, or "none". Read from the page itself, so asking costs no request.

export function edgeUrlOf(page: Pick<Document, 'querySelector' | 'baseURI'>): URL | undefined {
  const content = page.querySelector('meta[name="nearfield-edge"]')?.getAttribute('content')?.trim() ?? '';
  if (content === 'none') return undefined;
  return new URL(content === '' ? '/' : content, page.baseURI);
}
