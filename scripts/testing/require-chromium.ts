// Before any test that drives a browser: says once, in one line, that there is none and how to get it.
import { findChromium } from './chromium.ts';

export default function setup(): void {
  try {
    findChromium();
  } catch (error) {
    console.error(`\n${(error as Error).message}\n`);
    process.exit(1);
  }
}
