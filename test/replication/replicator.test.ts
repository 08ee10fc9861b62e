import { MAX_CLOCKS } from '../../src/replication/replicator';
import { E, eventOf, R, Replica, report, SECOND, START } from './held-replica';

const IDLE = ['10.0.0.1', 0, 0];

describe('A report at one replica', () => {
  it('is in its own next answer, and published with the next dot (I5)', () => {
    const a = new Replica('a');
    expect(a.replicator.add(report())).toBe('accepted');
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    expect(a.replicator.promptDelete('r')).toBe('accepted');
    expect(a.rows()).toEqual([['10.0.0.1', 1, 0]]);
    expect(a.replicator.delete('r')).toBe('accepted');
    expect(a.rows()).toEqual([IDLE]);
    const events = a.take().map(eventOf);
    expect(events.map(({ type, origin, seq }) => [type, origin, seq])).toEqual([
      ['add', 'a', 1],
      ['prompt-delete', 'a', 2],
      ['delete', 'a', 3],
    ]);
    expect([1, 2, 3, 4].map((seq) => a.replicator.context.has('a', seq))).toEqual([true, true, true, false]);
  });

  it('is accepted with the bus down, and counted as not published (I6)', () => {
    const a = new Replica('a');
    a.bus.connected = false;
    expect(a.replicator.add(report())).toBe('accepted');
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    expect([a.replicator.counts.published.add, a.replicator.counts.unpublished.add]).toEqual([0, 1]);
  });

  it.each<[string, bigint | undefined, bigint | undefined, string]>([
    ['with the same timestamp is a resend', 7n, 7n, 'resend'],
    ['with another timestamp is a duplicate', 7n, 8n, 'duplicate'],
    [
      'with timestamps that differ by one nanosecond in nineteen digits',
      1731897600123456789n,
      1731897600123456788n,
      'duplicate',
    ],
    ['without a timestamp matches nothing', undefined, undefined, 'duplicate'],
    ['with a timestamp matches no record without one', undefined, 7n, 'duplicate'],
    ['without a timestamp matches no record with one', 7n, undefined, 'duplicate'],
  ])('a second POST %s', (_, first, second, expected) => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.replicator.add(report({ timestampNs: first }));
    b.receive(a.take());
    for (const replica of [a, b]) {
      expect(replica.replicator.add(report({ timestampNs: second }))).toBe(expected);
      expect([replica.rows(), replica.take()]).toEqual([[['10.0.0.1', 1, 5]], []]);
    }
  });

  it('of an id is a late copy until R after its delete, and a new request from then on', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    a.replicator.delete('r');
    a.take();
    a.nowUs += R;
    expect(a.replicator.add(report())).toBe('duplicate');
    expect([a.rows(), a.take()]).toEqual([[IDLE], []]);
    a.nowUs++;
    expect(a.replicator.add(report())).toBe('accepted');
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
  });

  it('of an id that is older than E may be made again', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    a.nowUs += E - 1;
    expect(a.replicator.add(report())).toBe('duplicate');
    a.nowUs++;
    expect(a.replicator.add(report())).toBe('accepted');
    a.replicator.loadStats.expire(a.nowUs, Infinity);
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
  });

  it('finds room for an engine when another one is not shown any more (I7)', () => {
    const a = new Replica('a', { maxEngines: 1 });
    a.replicator.add(report());
    a.replicator.delete('r');
    const other = report({ requestId: 's', ip: '10.0.0.2' });
    expect(a.replicator.add(other)).toBe('too-many-engines');
    a.nowUs += E;
    a.replicator.loadStats.expire(a.nowUs, Infinity);
    expect(a.rows()).toEqual([]);
    expect(a.replicator.add(other)).toBe('accepted');
    expect(a.replicator.add(report({ requestId: 't' }))).toBe('too-many-engines');
  });

  it('is refused at a limit, changes nothing then, and uses no seq (I7, I8)', () => {
    const a = new Replica('a', { maxInFlight: 1, maxEngines: 1 }, { finishedCeiling: 1, waitingCeiling: 1 });
    a.replicator.add(report());
    expect(a.replicator.add(report({ requestId: 's' }))).toBe('too-many-in-flight');
    expect(a.replicator.delete('r')).toBe('accepted');
    expect(a.replicator.add(report({ requestId: 's', ip: '10.0.0.2' }))).toBe('too-many-engines');
    expect(a.replicator.delete('s')).toBe('too-many-finished');
    expect(a.replicator.add(report({ requestId: 's' }))).toBe('too-many-finished');
    expect(a.replicator.counts.dropped).toEqual(new Map([['finished-ceiling', 2]]));
    expect(a.replicator.highestSeq).toBe(2);
    expect([a.rows(), a.take().length]).toEqual([[IDLE], 2]);
    a.nowUs += E + R + 2 * SECOND;
    a.replicator.loadStats.expire(a.nowUs, Infinity);
    expect(a.replicator.add(report({ requestId: 's' }))).toBe('accepted');
    expect(a.replicator.highestSeq).toBe(3);
  });
});

describe('A delete', () => {
  it('is answered once: here, and at a replica that has heard of it', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.replicator.add(report());
    expect(a.replicator.promptDelete('r')).toBe('accepted');
    expect(a.replicator.promptDelete('r')).toBe('already-deleted');
    expect(a.replicator.delete('r')).toBe('accepted');
    b.receive(a.take());
    for (const { replicator } of [a, b]) {
      expect(replicator.delete('r')).toBe('already-deleted');
      expect(replicator.promptDelete('r')).toBe('already-deleted');
    }
    expect([...a.take(), ...b.take()]).toEqual([]);
  });

  it.each(['delete', 'promptDelete'] as const)(
    'that overtakes its add takes effect when that comes: %s',
    (kind) => {
      const [a, b, c] = [new Replica('a'), new Replica('b'), new Replica('c')];
      expect(b.replicator[kind]('r')).toBe('accepted');
      expect(b.replicator[kind]('r')).toBe('already-deleted');
      const deleted = b.take();
      a.nowUs += SECOND;
      expect(a.replicator.add(report())).toBe('accepted');
      const added = a.take();
      a.receive(deleted);
      b.receive(added);
      c.receive([...added, ...deleted]);
      const left = kind === 'delete' ? IDLE : ['10.0.0.1', 1, 0];
      for (const replica of [a, b, c]) expect(replica.rows()).toEqual([left]);
    },
  );

  it('that came before its POST leaves that POST accepted, and counted nowhere', () => {
    const a = new Replica('a');
    a.replicator.delete('r');
    a.nowUs += SECOND;
    expect(a.replicator.add(report())).toBe('accepted');
    expect(a.rows()).toEqual([IDLE]);
    expect(a.replicator.add(report())).toBe('duplicate');
    expect(a.replicator.delete('r')).toBe('already-deleted');
  });

  it.each(['delete', 'promptDelete'] as const)(
    'of an id used again overtakes the new add just as well: %s (I2)',
    (kind) => {
      const [a, b] = [new Replica('a'), new Replica('b')];
      a.replicator.add(report());
      a.replicator.delete('r');
      b.receive(a.take());
      a.nowUs += R + SECOND;
      b.nowUs += R + SECOND;
      expect(a.replicator.add(report())).toBe('accepted');
      // The new add is still on its way to b.
      expect(b.replicator[kind]('r')).toBe('accepted');
      const deleted = b.take();
      b.receive(a.take());
      a.receive(deleted);
      const left = kind === 'delete' ? IDLE : ['10.0.0.1', 1, 0];
      for (const replica of [a, b]) expect(replica.rows()).toEqual([left]);
    },
  );

  it('is a late copy until R after the first one', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    a.replicator.delete('r');
    a.nowUs += R;
    expect([a.replicator.delete('r'), a.replicator.promptDelete('r')]).toEqual([
      'already-deleted',
      'already-deleted',
    ]);
  });

  it('at a replica whose clock is far behind still ends the request, at both', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    b.nowUs -= R;
    a.replicator.add(report());
    b.receive(a.take());
    expect(b.replicator.promptDelete('r')).toBe('accepted');
    expect(b.rows()).toEqual([['10.0.0.1', 1, 0]]);
    expect(b.replicator.delete('r')).toBe('accepted');
    const deleted = b.take();
    for (const payload of deleted) expect(eventOf(payload).timeUs).toBe(START);
    a.receive(deleted);
    for (const replica of [a, b]) expect(replica.rows()).toEqual([IDLE]);
  });

  it('ends every one of conflicting adds', () => {
    const [a, b, c] = [new Replica('a'), new Replica('b'), new Replica('c')];
    b.nowUs += R;
    a.replicator.add(report());
    b.replicator.add(report({ ip: '10.0.0.2' }));
    c.receive([...b.take(), ...a.take()]);
    expect(c.rows()).toEqual([
      ['10.0.0.1', 1, 5],
      ['10.0.0.2', 0, 0],
    ]);
    c.replicator.delete('r');
    expect(c.rows()).toEqual([IDLE, ['10.0.0.2', 0, 0]]);
    expect(c.replicator.loadStats.inFlight.size).toBe(0);
    expect(eventOf(c.take()[0]!).timeUs).toBe(START + R);
  });
});

describe('A clock set back', () => {
  it('gives no two adds of an origin the same time, and never an earlier one', () => {
    const a = new Replica('a');
    for (let i = 0; i < 5; i++) {
      a.nowUs -= i * SECOND;
      expect(a.replicator.add(report({ requestId: `r${i}` }))).toBe('accepted');
    }
    expect(a.take().map((payload) => eventOf(payload).timeUs - START)).toEqual([0, 1, 2, 3, 4]);
  });

  it('leaves deletes later than their adds', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    a.nowUs -= 3600 * SECOND;
    expect(a.replicator.delete('r')).toBe('accepted');
    expect(a.rows()).toEqual([IDLE]);
    expect(a.replicator.add(report())).toBe('duplicate');
  });
});

describe('What the bus brings', () => {
  it('shows the same rows whatever comes twice or in another order (I1)', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.replicator.add(report());
    a.replicator.add(report({ requestId: 's', promptLength: 7 }));
    a.replicator.promptDelete('r');
    a.replicator.delete('s');
    const sent = a.take();
    b.receive([...sent].reverse());
    expect(b.rows()).toEqual(a.rows());
    b.receive(sent);
    expect(b.rows()).toEqual(a.rows());
    expect(b.replicator.context.includes(a.replicator.context, 0)).toBe(true);
    expect(a.replicator.context.includes(b.replicator.context, 0)).toBe(true);
  });

  it('leaves a hole where it is ahead of its time, and none where its request has expired', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.nowUs += R + 1;
    a.replicator.add(report());
    b.receive(a.take());
    expect([b.replicator.context.has('a', 1), b.rows()]).toEqual([false, []]);
    a.replicator.add(report({ requestId: 's' }));
    b.nowUs += E + R + 2;
    b.receive(a.take());
    expect([b.replicator.context.has('a', 2), b.rows()]).toEqual([true, []]);
    expect([...b.replicator.counts.dropped]).toEqual([
      ['ahead', 1],
      ['expired', 1],
    ]);
    // Neither was applied, so neither says how long that took.
    expect([b.latenciesMs, b.replicator.counts.received.add]).toEqual([[], 0]);
  });

  it('changes nothing when it is its own, invalid, or of a later version, whose dot is neither claimed nor chased (I8, I9)', () => {
    const a = new Replica('a');
    a.replicator.add(report());
    const own = a.take();
    a.receive(own);
    const text = Buffer.from(own[0]!).toString();
    a.receive([
      Buffer.from(text.replace('"origin":"a"', '"origin":"b"').replace('"v":1', '"v":2')),
      Buffer.from(
        text.replace('"origin":"a"', '"origin":"b"').replace('"seq":1', '"seq":2').replace('"add"', '"new"'),
      ),
      Buffer.from('{'),
      Buffer.from([0xff]),
    ]);
    expect(a.rows()).toEqual([['10.0.0.1', 1, 5]]);
    expect([a.replicator.counts.own, a.replicator.counts.unknown]).toEqual([1, 2]);
    expect([a.replicator.context.has('b', 1), a.replicator.context.has('b', 2)]).toEqual([false, false]);
    expect(a.replicator.context.holes().size).toBe(0);
    expect([...a.replicator.counts.dropped]).toEqual([
      ['not-json', 1],
      ['not-utf8', 1],
    ]);
  });

  it('tells the latency and the clock difference of its origin', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    a.replicator.add(report());
    b.nowUs += 2500;
    b.receive(a.take());
    a.nowUs += 10_000;
    a.replicator.delete('r');
    b.receive(a.take());
    expect(b.latenciesMs).toEqual([2.5, 0]);
    expect([...b.replicator.clockDifferencesUs]).toEqual([['a', -7500]]);
  });

  it('tells the clock difference of live peers, and of so many strangers only that a scrape stays short (I7)', () => {
    const b = new Replica('b');
    const { clockDifferencesUs, context } = b.replicator;
    const hear = (origin: string): void => {
      const a = new Replica(origin);
      a.replicator.add(report({ requestId: `of ${origin}` }));
      b.receive(a.take());
    };
    for (let i = 0; i < MAX_CLOCKS + 10; i++) hear(`stranger-${i}`);
    expect(clockDifferencesUs.size).toBe(MAX_CLOCKS);
    context.protect(new Set(['peer']));
    hear('peer');
    hear('another-stranger');
    expect(clockDifferencesUs.size).toBe(MAX_CLOCKS);
    expect(clockDifferencesUs.has('peer')).toBe(true);
    expect(clockDifferencesUs.has('another-stranger')).toBe(false);
  });
});
