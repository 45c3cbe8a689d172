// Closes a test run with one plain line, `N passed, N failed`, so that any tool can read the outcome.
import type { Reporter, TestModule } from 'vitest/node';

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      passed += tests.filter((test) => test.result().state === 'passed').length;
      failed += tests.filter((test) => test.result().state !== 'passed').length;
      failed += module.errors().length; // a file that does not load counts as one failure
    }
    // After the summary that the default reporter prints at exit.
    process.on('exit', () => console.log(`${passed} passed, ${failed} failed`));
  }
}
