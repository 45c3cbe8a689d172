// Owns the doors of a web page: every way known to us by which script can make a browser send something. Each
// function runs inside the page and knows nothing of this file. Tried with and without the page's policy.

export interface Target {
  /** `http://host:port/`, a host of this door alone; the value to carry out is in it. */
  readonly url: string;
  readonly secure: string;
  readonly socket: string;
  readonly host: string;
  readonly port: number;
}

/** As source where a bundler would rewrite it. */
export type Door = ((to: Target) => unknown) | string;

export const DOORS: Readonly<Record<string, Door>> = {
  fetch: (to) => fetch(to.url, { mode: 'no-cors' }),
  'fetch with a body': (to) => fetch(to.url, { method: 'POST', mode: 'no-cors', body: to.url }),
  'fetch keepalive': (to) =>
    fetch(to.url, { method: 'POST', mode: 'no-cors', keepalive: true, body: to.url }),
  'fetch of a frame': (to) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    return (frame.contentWindow as unknown as { fetch: typeof fetch }).fetch(to.url, { mode: 'no-cors' });
  },
  XMLHttpRequest: (to) => {
    const request = new XMLHttpRequest();
    request.open('POST', to.url);
    request.send(to.url);
  },
  WebSocket: (to) => new WebSocket(to.socket),
  EventSource: (to) => new EventSource(to.url),
  sendBeacon: (to) => navigator.sendBeacon(to.url, to.url),
  WebTransport: (to) => new WebTransport(to.secure).ready,
  WebRTC: async (to) => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:${to.host}:${to.port}` }] });
    peer.createDataChannel('out');
    await peer.setLocalDescription(await peer.createOffer());
  },
  'WebRTC of a frame': async (to) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const inner = frame.contentWindow as unknown as { RTCPeerConnection: typeof RTCPeerConnection };
    const peer = new inner.RTCPeerConnection({ iceServers: [{ urls: `stun:${to.host}:${to.port}` }] });
    peer.createDataChannel('out');
    await peer.setLocalDescription(await peer.createOffer());
  },
  'worker from a blob': (to) => {
    const source = `fetch(${JSON.stringify(to.url)}, { mode: 'no-cors' }).catch(() => {})`;
    return new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
  },
  'worker from afar': (to) => new Worker(to.url),
  'shared worker': (to) => {
    const source = `fetch(${JSON.stringify(to.url)}, { mode: 'no-cors' }).catch(() => {})`;
    return new SharedWorker(`data:text/javascript,${encodeURIComponent(source)}`);
  },
  'service worker from afar': (to) => navigator.serviceWorker.register(to.url),
  'worklet module': (to) => new AudioContext().audioWorklet.addModule(to.url),
  'script element': (to) => {
    document.head.appendChild(document.createElement('script')).src = to.url;
  },
  'inline script': (to) => {
    const script = document.createElement('script');
    script.textContent = `fetch(${JSON.stringify(to.url)}, { mode: 'no-cors' }).catch(() => {})`;
    document.head.append(script);
  },
  'import()': '(to) => import(to.url)',
  eval: (to) => new Function('url', "return fetch(url, { mode: 'no-cors' })")(to.url),
  image: (to) => {
    new Image().src = to.url;
  },
  'image set': (to) => {
    document.body.appendChild(document.createElement('img')).srcset = `${to.url} 1x`;
  },
  picture: (to) => {
    document.body.insertAdjacentHTML(
      'beforeend',
      `<picture><source srcset="${to.url}"><img alt=""></picture>`,
    );
  },
  'svg image': (to) => {
    document.body.insertAdjacentHTML(
      'beforeend',
      `<svg><image href="${to.url}" width="9" height="9"/></svg>`,
    );
  },
  'svg use': (to) => {
    document.body.insertAdjacentHTML('beforeend', `<svg><use href="${to.url}#a"/></svg>`);
  },
  'video poster': (to) => {
    document.body.insertAdjacentHTML('beforeend', `<video poster="${to.url}"></video>`);
  },
  video: (to) => {
    document.body.insertAdjacentHTML('beforeend', `<video src="${to.url}" preload="auto"></video>`);
  },
  audio: (to) => {
    new Audio(to.url).load();
  },
  track: (to) => {
    document.body.insertAdjacentHTML(
      'beforeend',
      `<video src="data:video/mp4,"><track default kind="captions" src="${to.url}"></video>`,
    );
  },
  object: (to) => {
    document.body.insertAdjacentHTML('beforeend', `<object data="${to.url}"></object>`);
  },
  embed: (to) => {
    document.body.insertAdjacentHTML('beforeend', `<embed src="${to.url}">`);
  },
  iframe: (to) => {
    document.body.appendChild(document.createElement('iframe')).src = to.url;
  },
  'iframe with its own document': (to) => {
    document.body.appendChild(document.createElement('iframe')).srcdoc = `<img src="${to.url}">`;
  },
  'iframe from a blob': (to) => {
    const html = new Blob([`<img src="${to.url}">`], { type: 'text/html' });
    document.body.appendChild(document.createElement('iframe')).src = URL.createObjectURL(html);
  },
  form: (to) => {
    document.body.insertAdjacentHTML(
      'beforeend',
      `<iframe name="out"></iframe><form id="out-form" method="post" target="out" action="${to.url}"></form>`,
    );
    (document.getElementById('out-form') as HTMLFormElement).submit();
  },
  stylesheet: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="stylesheet" href="${to.url}">`);
  },
  'style import': (to) => {
    document.head.insertAdjacentHTML('beforeend', `<style>@import url("${to.url}");</style>`);
  },
  'style url()': (to) => {
    document.body.insertAdjacentHTML('beforeend', `<div style="background:url('${to.url}')">.</div>`);
  },
  'style by script': (to) => {
    document.body.appendChild(document.createElement('p')).style.backgroundImage = `url("${to.url}")`;
  },
  'adopted stylesheet': async (to) => {
    const sheet = new CSSStyleSheet();
    await sheet.replace(`body { cursor: url("${to.url}"), auto; border-image: url("${to.url}") 1; }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  },
  font: (to) => new FontFace('out', `url("${to.url}")`).load(),
  prefetch: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="prefetch" href="${to.url}">`);
  },
  preload: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="preload" as="image" href="${to.url}">`);
  },
  modulepreload: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="modulepreload" href="${to.url}">`);
  },
  preconnect: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="preconnect" href="${to.url}">`);
  },
  'dns-prefetch': (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="dns-prefetch" href="${to.url}">`);
  },
  manifest: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="manifest" href="${to.url}">`);
  },
  icon: (to) => {
    document.head.insertAdjacentHTML('beforeend', `<link rel="icon" href="${to.url}">`);
  },
  'speculation rules': (to) => {
    const script = document.createElement('script');
    script.type = 'speculationrules';
    script.textContent = JSON.stringify({ prefetch: [{ source: 'list', urls: [to.url] }] });
    document.head.append(script);
  },
  'link ping': (to) => {
    const link = document.body.appendChild(document.createElement('a'));
    link.href = '#/';
    link.ping = to.url;
    link.click();
  },
  'payment method': (to) =>
    new PaymentRequest([{ supportedMethods: to.secure }], {
      total: { label: 'x', amount: { currency: 'EUR', value: '1' } },
    }).canMakePayment(),
};

/** Doors out of the page altogether: each ends it, so each gets a page of its own. */
export const EXITS: Readonly<Record<string, Door>> = {
  'form, this page': (to) => {
    document.body.insertAdjacentHTML('beforeend', `<form id="exit" method="post" action="${to.url}"></form>`);
    (document.getElementById('exit') as HTMLFormElement).submit();
  },
  'base and form': (to) => {
    document.head.insertAdjacentHTML('afterbegin', `<base href="${to.url}">`);
    document.body.insertAdjacentHTML('beforeend', '<form id="exit" method="post" action="x"></form>');
    (document.getElementById('exit') as HTMLFormElement).submit();
  },
  'going there': (to) => location.assign(to.url),
  'a window there': (to) => window.open(to.url),
  'refresh there': (to) => {
    document.head.insertAdjacentHTML('beforeend', `<meta http-equiv="refresh" content="0;url=${to.url}">`);
  },
};

/**
 * Doors that no page can shut against script running inside it, in any browser of today; they are kept shut by
 * letting no such script in, and docs/threat-model.md says so. `name`: the browser looks the host up, or connects,
 * before the policy refuses the request; a byte more is a leak. Any other door that opens is one.
 */
export const NO_PAGE_CAN_SHUT: Readonly<Record<string, 'name' | 'all'>> = {
  preconnect: 'name',
  'dns-prefetch': 'name',
  iframe: 'name',
  form: 'name',
  'form, this page': 'name',
  'WebRTC of a frame': 'all',
  'going there': 'all',
  'a window there': 'all',
  'refresh there': 'all',
};
