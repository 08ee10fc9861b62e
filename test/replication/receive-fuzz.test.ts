import fc from 'fast-check';
import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { CONTEXT_LIMITS } from '../../src/replication/limits';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';
import { decodeEvent } from '../../src/wire/event-codec';
import { runs } from '../support/size';
import { viewOptions } from '../support/view-options';

const NOW = 1_700_000_000_000_000;
const add = {
  v: 1,
  type: 'add',
  origin: 'o',
  seq: 7,
  time_us: NOW,
  request_id: 'r',
  cluster: 'm',
  ip: '10.0.0.1',
  prompt_length: 5,
};

function replicatorWithARow(): Replicator {
  const bus = new InProcessBus(new InProcessHub(), () => undefined);
  const context = new CausalContext({ ...CONTEXT_LIMITS, forgetAfterUs: 1e9 });
  const replicator = new Replicator({
    loadStats: new LoadStats(viewOptions(1_000)),
    context,
    bus,
    republisher: new Republisher(bus),
    nowUs: () => NOW,
    observeLatency: () => undefined,
    options: {
      origin: 'self',
      subjectPrefix: 'metadata-center',
      maxInFlight: 1_000,
      maxEngines: 1_000,
      maxOwners: 100,
    },
  });
  replicator.add({
    requestId: 'kept',
    cluster: 'm',
    ip: '10.0.0.9',
    promptLength: 3,
    timestampNs: undefined,
  });
  return replicator;
}

test('I7 I8: whatever the bus brings, only what is a well-formed event of this version changes a row, and nothing throws', () => {
  const replicator = replicatorWithARow();
  const kept = replicator.loadStats.engines.rowsJson('m');
  const edited = fc
    .array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    .map((edits) => {
      const bytes = Buffer.from(JSON.stringify(add));
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      return bytes;
    });
  const otherFields = fc
    .dictionary(fc.constantFrom(...Object.keys(add), 'timestamp', '__proto__', 'constructor'), fc.jsonValue())
    .map((fields) => Buffer.from(JSON.stringify({ ...add, ...fields })));
  let dropped = 0;
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), edited, otherFields), (payload) => {
      const { kind } = decodeEvent(payload);
      // What is a true event is another test's matter.
      if (kind === 'event') return;
      if (kind === 'invalid') dropped++;
      replicator.receive(payload);
      expect(replicator.loadStats.engines.rowsJson('m')).toBe(kept);
      expect(replicator.loadStats.engines.size).toBe(1);
      expect(replicator.loadStats.inFlight.size).toBe(1);
      expect(replicator.loadStats.deletes.size + replicator.loadStats.promptDeletes.size).toBe(0);
    }),
    { numRuns: runs(3_000) },
  );
  expect([...replicator.counts.dropped.values()].reduce((sum, count) => sum + count, 0)).toBe(dropped);
});
