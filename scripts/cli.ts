// Owns how `npm run bench|eval|prove|models` find their commands: every file in the folder is one,
// exporting `command`. Nothing is registered by hand, so `--list` is always true.
import { readdir } from 'node:fs/promises';
import { Command } from 'commander';

/** What each file of scripts/bench, scripts/eval, scripts/prove and scripts/models exports. */
export interface ScriptCommand {
  /** One line for `--list`. */
  readonly summary: string;
  /** Adds arguments and options; must set an action. */
  configure(command: Command): void;
}

/** Runs the command that argv names, from the files of `folder`. */
export async function runFolder(program: string, folder: URL, argv: readonly string[]): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const root = new Command(program).option('--list', 'name every command, one a line').showHelpAfterError();
  for (const file of files.sort()) {
    const module: { command?: ScriptCommand } = await import(new URL(file, folder).href);
    if (module.command === undefined) continue;
    const name = file.slice(0, -'.ts'.length);
    const sub = root
      .command(name)
      .description(module.command.summary)
      .option('--json', 'JSON on the last line');
    module.command.configure(sub);
  }
  if (argv.includes('--list')) {
    for (const sub of root.commands) console.log(`${sub.name().padEnd(14)} ${sub.description()}`);
    return;
  }
  await root.parseAsync([...argv], { from: 'user' });
}
