// Owns taking away what this page never uses and its Content-Security-Policy cannot close: WebRTC opens
// connections that no directive of today's browsers speaks of. Imported before anything else runs.

const UNUSED = ['RTCPeerConnection', 'webkitRTCPeerConnection', 'mozRTCPeerConnection'];

for (const name of UNUSED) Reflect.deleteProperty(globalThis, name);
