// The generator worker's entry in a browser.
import { createIndexedDbStore } from '../../model-files/indexeddb.ts';
import { choicesIn } from '../choices.ts';
import { browserDecoders } from './decoder-rows-browser.ts';
import { type GeneratorPort, serveGenerator } from './serve.ts';

// Threads and ONNX Runtime may be started from this very script.
if (!self.name.startsWith('em-pthread')) {
  serveGenerator(self as unknown as GeneratorPort, browserDecoders, choicesIn(createIndexedDbStore()));
}
