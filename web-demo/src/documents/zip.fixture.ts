// Makes small zip files for tests: names and texts in, the file's bytes out. No checksums: nothing here reads them.

export function zipOf(
  parts: readonly (readonly [name: string, text: string])[],
  deflate?: (bytes: Uint8Array) => Uint8Array,
): ArrayBuffer {
  const method = deflate === undefined ? 0 : 8;
  const bodies: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let offset = 0;
  for (const [name, text] of parts) {
    const raw = Buffer.from(text);
    const packed = deflate?.(raw) ?? raw;
    const shared = [
      u16(20),
      u16(0x800),
      u16(method),
      u32(0),
      u32(0),
      u32(packed.length),
      u32(raw.length),
      u16(name.length),
    ];
    const local = Buffer.concat([u32(0x04034b50), ...shared, u16(0), Buffer.from(name), packed]);
    entries.push(
      Buffer.concat([
        u32(0x02014b50),
        u16(20),
        ...shared,
        u16(0),
        u16(0),
        u16(0),
        u16(0),
        u32(0),
        u32(offset),
        Buffer.from(name),
      ]),
    );
    bodies.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = [
    u32(0x06054b50),
    u16(0),
    u16(0),
    u16(parts.length),
    u16(parts.length),
    u32(directory.length),
    u32(offset),
    u16(0),
  ];
  return new Uint8Array(Buffer.concat([...bodies, directory, ...end])).buffer;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
