/** A line now and then while the slow files run: a run that says nothing looks like one that hangs. */
const { relative } = require('node:path');

const EVERY_MS = 10_000;

module.exports = class ProgressReporter {
  running = new Set();
  done = 0;

  onRunStart() {
    this.timer = setInterval(() => {
      const names = [...this.running].map((path) => relative(process.cwd(), path));
      process.stderr.write(`${this.done} files done, running: ${names.join(', ')}\n`);
    }, EVERY_MS);
  }

  onTestFileStart({ path }) {
    this.running.add(path);
  }

  onTestFileResult({ path }) {
    this.running.delete(path);
    this.done++;
  }

  onRunComplete() {
    clearInterval(this.timer);
  }
};
