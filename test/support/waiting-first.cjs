/** Files that start processes mostly wait: they begin first, and the others fill the cores beside them. */
const { readFileSync } = require('node:fs');
const Sequencer = require('@jest/test-sequencer').default;

const STARTS_PROCESSES = /ReplicaProcess|ReplicaSet|Fleet|NatsServerProcess|TestBrowser|inPlainNode/;

module.exports = class WaitingFirst extends Sequencer {
  sort(tests) {
    const waits = new Map(
      tests.map((test) => [test, STARTS_PROCESSES.test(readFileSync(test.path, 'utf8'))]),
    );
    const sorted = super.sort(tests);
    return [...sorted.filter((test) => waits.get(test)), ...sorted.filter((test) => !waits.get(test))];
  }
};
