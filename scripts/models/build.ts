// Owns `npm run models -- build <id>`: finds or makes the Python environment, then runs the one script
// that builds the model. Nothing here is needed to run or test the product.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ScriptCommand } from '../cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const REQUIREMENTS = fileURLToPath(new URL('./requirements.txt', import.meta.url));
const PYTHON_FOLDER = fileURLToPath(new URL('./python/', import.meta.url));
const WORK = join(ROOT, '.nearfield');

interface Recipe {
  readonly script: string;
  /** Where the result goes, from the repository's root. */
  readonly out: string;
  readonly summary: string;
  /** What the script is always told. */
  readonly argv?: readonly string[];
}

const RECIPES: Readonly<Record<string, Recipe>> = Object.freeze({
  'all-minilm-l6-v2': {
    script: 'build_minilm.py',
    out: 'models/all-minilm-l6-v2',
    summary: 'the published encoder, INT8, one ONNX file for every backend',
  },
  'all-minilm-l6-v2-peers': {
    script: 'build_peers.py',
    out: '.nearfield/models',
    summary: 'fp32 and ONNX Runtime dynamic INT8 of the same encoder, for benches; not committed',
  },
  'smollm2-135m-instruct': {
    script: 'build_smollm2.py',
    out: '.nearfield/models/smollm2-135m-instruct',
    summary: 'a language model for the kernel, INT8; not committed',
  },
  'smollm2-135m-instruct-int4': {
    script: 'build_smollm2.py',
    out: '.nearfield/models/smollm2-135m-instruct-int4',
    argv: ['--weights', 'published'],
    summary:
      'the same with the four-bit codes it was published in: smaller, faster, more exact; not committed',
  },
  'smollm2-135m-instruct-peers': {
    script: 'build_smollm2_peers.py',
    out: '.nearfield/models',
    summary:
      'the same weights for transformers.js (fp32, q8, q4) and wllama (Q8_0), for benches; not committed',
  },
  llama: {
    script: 'build_checkpoint.py',
    out: '.nearfield/models',
    summary:
      'a Hugging Face checkpoint of yours (Llama, SmolLM2, Qwen 2 and 3): --from its folder; not committed',
  },
  'nearfield-embed': {
    script: 'build_embed.py',
    out: 'models/nearfield-embed',
    summary: 'a student of that encoder: a third of the compute, English, Spanish and Portuguese',
  },
  'nearfield-intent': {
    script: 'build_intent.py',
    out: 'models/nearfield-intent',
    summary: 'heads on the encoder: volatility of the answer, kind of task, language',
  },
  'nearfield-guard': {
    script: 'build_guard.py',
    out: 'models/nearfield-guard',
    summary: "the cache's cross-check: does a kept question ask the same as a new one?",
  },
  'nearfield-pii': {
    script: 'build_pii.py',
    out: 'models/nearfield-pii',
    summary: "a tagger of names, places, dates and numbers that are somebody's: English, Spanish, Portuguese",
  },
});

interface BuildOptions {
  readonly from?: string;
  readonly data?: string;
  readonly python?: string;
}

export const command: ScriptCommand = {
  summary: 'build a model: weights, tokenizer, golden vectors and manifest',
  configure(command) {
    command
      .argument('<id>', `one of ${Object.keys(RECIPES).join(', ')}`)
      .option('--data <folder>', 'folder with the training and measuring data', process.env.NEARFIELD_DATA)
      .option('--from <folder>', 'for llama: a folder with config.json and safetensors')
      .option('--python <path>', 'a Python with the requirements', process.env.NEARFIELD_PYTHON)
      .allowExcessArguments()
      .addHelpText(
        'after',
        `\nRecipes:\n${Object.entries(RECIPES)
          .map(([id, recipe]) => `  ${id.padEnd(24)} ${recipe.summary}`)
          .join('\n')}\n\nWhat follows -- goes to the recipe's script.`,
      )
      .action(async (id: string, options: BuildOptions) => {
        const recipe = RECIPES[id];
        if (recipe === undefined) {
          return command.error(`No recipe '${id}'. Expected one of: ${Object.keys(RECIPES).join(', ')}.`);
        }
        await build(recipe, options, command.args.slice(1));
      });
  },
};

async function build(recipe: Recipe, options: BuildOptions, extra: readonly string[]): Promise<void> {
  const python = options.python ?? (await environment());
  const data = options.data === undefined ? [] : ['--data', options.data];
  const from = options.from === undefined ? [] : ['--from', options.from];
  const out = join(ROOT, recipe.out);
  await execute(python, [
    join(PYTHON_FOLDER, recipe.script),
    '--out',
    out,
    ...(recipe.argv ?? []),
    ...data,
    ...from,
    ...extra,
  ]);
}

/** A virtual environment under .nearfield/, made once from the pinned requirements. Returns its Python. */
async function environment(): Promise<string> {
  const folder = join(WORK, 'venv');
  const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const done = join(folder, 'requirements.done');
  if (existsSync(done)) return python;
  await mkdir(WORK, { recursive: true });
  console.log(`Making a Python environment in ${folder} (about 1 GB; NEARFIELD_PYTHON names another)`);
  await execute(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', folder]);
  await execute(python, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS]);
  await execute(python, ['-c', `open(${JSON.stringify(done)}, 'w').close()`]);
  return python;
}

/** Runs to the end with our streams. @throws Error naming the program, when it is missing or fails. */
async function execute(program: string, argv: readonly string[]): Promise<void> {
  const env = { ...process.env, PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(program, argv, { stdio: 'inherit', env });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new Error(
          `Could not start '${program}'. Install Python 3.11 or newer, or set NEARFIELD_PYTHON to one that has ${REQUIREMENTS} installed.`,
          { cause },
        ),
      ),
    );
    child.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`'${program} ${argv.join(' ')}' ended with ${code}; its output says why.`);
}
