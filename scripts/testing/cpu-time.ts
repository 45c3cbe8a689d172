// Owns how tests measure work: by the processor's time, which other processes on a busy machine do not add to.

/** Milliseconds that this process has worked so far, all its threads together. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
