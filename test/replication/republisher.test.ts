import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { Republisher } from '../../src/replication/republisher';
import { until } from '../support/until';

const ROUNDS_MS = [1, 40];
/** Later than both. */
const LATE_MS = 100;

let buses: InProcessBus[] = [];
let hub: InProcessHub;

beforeEach(() => {
  hub = new InProcessHub();
});

afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.stop()));
  buses = [];
});

function newBus(): InProcessBus {
  const bus = new InProcessBus(hub, () => undefined);
  buses.push(bus);
  return bus;
}

async function connect(bus: InProcessBus, heard: string[] = []): Promise<void> {
  bus.start({ p: (payload) => heard.push(Buffer.from(payload).toString()) }, () => undefined);
  await until(() => bus.connected, { describe: 'connected' });
}

function keepAll(republisher: Republisher, texts: readonly string[]): void {
  for (const text of texts) republisher.keep('p', Buffer.from(text));
}

describe('What the bus could not take', () => {
  it('is published when the bus is back, to those too that come back later, and then forgotten (I4, I6)', async () => {
    const own = newBus();
    const republisher = new Republisher(own, ROUNDS_MS);
    keepAll(republisher, ['a', 'b']);
    const [early, late]: [string[], string[]] = [[], []];
    await connect(newBus(), early);
    await connect(own);
    republisher.busConnected();
    for (const nowMs of [0, 1, 39]) republisher.tick(nowMs);
    await until(() => early.length === 2, { intervalMs: 1, describe: 'the first round' });
    expect(republisher.size).toBe(2);
    await connect(newBus(), late);
    republisher.tick(40);
    await until(() => late.length === 2, { describe: 'the last round' });
    expect(late).toEqual(['a', 'b']);
    expect(republisher.size).toBe(0);
  });

  it('waits on when the bus is lost again', () => {
    const lost = newBus();
    const republisher = new Republisher(lost, ROUNDS_MS);
    keepAll(republisher, ['a']);
    republisher.busConnected();
    for (const nowMs of [0, LATE_MS, 2 * LATE_MS]) republisher.tick(nowMs);
    expect(republisher.size).toBe(1);
  });

  it('is published without being told, where only the buffer to the bus was full', async () => {
    const own = newBus();
    const heard: string[] = [];
    await connect(newBus(), heard);
    await connect(own);
    const republisher = new Republisher(own, ROUNDS_MS);
    keepAll(republisher, ['a']);
    for (const nowMs of [0, LATE_MS]) republisher.tick(nowMs);
    await until(() => heard.length > 0, { describe: 'published' });
  });

  it('is published once more at the end, as far as it goes', async () => {
    const own = newBus();
    const heard: string[] = [];
    await connect(newBus(), heard);
    const republisher = new Republisher(own, ROUNDS_MS);
    keepAll(republisher, ['a', 'b']);
    expect(republisher.finish()).toBe(2);
    await connect(own);
    expect(republisher.finish()).toBe(0);
    await until(() => heard.length === 2, { describe: 'published' });
  });

  it('is bounded: beyond that the oldest are left to repair (I7)', async () => {
    const own = newBus();
    const republisher = new Republisher(own, ROUNDS_MS, 100);
    const texts = Array.from({ length: 100 }, (_, i) => `text-${i}`.padEnd(10));
    keepAll(republisher, texts);
    expect(republisher.size).toBeGreaterThan(5);
    expect(republisher.size).toBeLessThanOrEqual(10);
    expect(republisher.size + republisher.dropped).toBe(100);
    const heard: string[] = [];
    await connect(newBus(), heard);
    await connect(own);
    republisher.finish();
    await until(() => heard.length === republisher.size, { describe: 'published' });
    expect(heard).toEqual(texts.slice(-heard.length));
  });
});
