// Owns the page's Content-Security-Policy: the browser's own guard behind the egress guard. Everything is
// shut but the page's own files and the hosts the policy document leaves open.
import { NearfieldError } from '../errors.ts';
import type { PolicyDocument, PresetName } from './document.ts';
import { HOST, readPolicyDocument } from './document.ts';

/**
 * The header's value. `hosts` are the egress's hosts (`host` or `host:port`); those the document does not
 * name, when it names any, are left out, and a device-only document opens none.
 * @throws invalid-request for anything but plain hosts.
 */
export function createCsp(document: PolicyDocument | PresetName, hosts: readonly string[] = []): string {
  const rules = readPolicyDocument(document);
  const bad = hosts.findIndex((host) => !HOST.test(host));
  if (bad >= 0) {
    throw new NearfieldError('invalid-request', 'A CSP host must be `host` or `host:port`.', {
      param: `hosts.${bad}`,
    });
  }
  const named = rules.hosts && new Set(rules.hosts.map((entry) => entry.host));
  const open = rules.base.farthest === 'device' ? [] : hosts.filter((host) => !named || named.has(host));
  const directives: Readonly<Record<string, string>> = {
    'default-src': "'none'",
    'script-src': "'self' 'wasm-unsafe-eval'",
    'worker-src': "'self'",
    'connect-src': ["'self'", ...open.map(originOf)].join(' '),
    'style-src': "'self'",
    'img-src': "'self' data: blob:",
    'font-src': "'self'",
    'manifest-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    // Not in every browser yet; where it is not, a page's WebRTC is shut by not being there.
    webrtc: "'block'",
  };
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

function originOf(host: string): string {
  const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?$/.test(host);
  return `${loopback ? 'http' : 'https'}://${host}`;
}
