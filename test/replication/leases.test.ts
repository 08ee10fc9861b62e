/** Leases at several replicas whose clocks differ, and the time by which they run out. */
import { LeaseClock } from '../../src/replication/lease-clock';
import { anyEventOf, Replica, report, SECOND, START } from './held-replica';

const EVERY = SECOND / 4;

class Member {
  readonly replica: Replica;
  readonly clock = new LeaseClock();
  hears = true;

  constructor(
    origin: string,
    readonly aheadUs: number,
  ) {
    this.replica = new Replica(origin);
  }

  lookAt(us: number): void {
    const { replica } = this;
    replica.nowUs = us + this.aheadUs;
    const now = replica.replicator.now();
    const stats = replica.replicator.loadStats;
    stats.lookAtOwners(this.clock.at(now, true, this.hears), now);
    while (!stats.settle(100, now));
  }

  get queued(): number {
    return this.replica.replicator.loadStats.engines.model('m')?.rows[0]?.queuedRequests ?? 0;
  }
}

class Fleet {
  readonly members: readonly Member[];
  us = START;

  constructor(aheadUs: readonly number[]) {
    this.members = aheadUs.map((each, i) => new Member(`r${i}`, each));
    this.pass(0);
  }

  /** Renews every `everyUs`, at one replica after the other; looks all the while. */
  pass(us: number, everyUs = Infinity, ttlMs = 0, each: () => void = () => undefined): void {
    const endUs = this.us + us;
    for (let renewUs = this.us, turn = 0; this.us <= endUs; this.us += EVERY) {
      for (const member of this.members) member.lookAt(this.us);
      if (this.us >= renewUs && everyUs < Infinity) {
        renewUs += everyUs;
        this.members[turn++ % this.members.length]!.replica.replicator.renewLease('gw', ttlMs);
      }
      this.exchange();
      each();
    }
  }

  exchange(): void {
    for (const from of this.members) {
      const payloads = from.replica.take();
      for (const to of this.members) if (to !== from && to.hears && from.hears) to.replica.receive(payloads);
    }
  }

  get queued(): number[] {
    return this.members.map((member) => member.queued);
  }
}

describe('A gateway that renews at replicas in turn', () => {
  it.each([
    [[0, 10, -10], 30_000],
    [[4, 0, -0.9], 15_000],
    [[0, 0, 0], 3_000],
  ])(
    'is never taken for dead by clocks %j s ahead, and its requests leave every row within the ttl, the difference and a second (I13)',
    (aheadS, ttlMs) => {
      const fleet = new Fleet(aheadS.map((s) => s * SECOND));
      const ttlUs = ttlMs * 1000;
      fleet.members[0]!.replica.replicator.renewLease('gw', ttlMs);
      for (const requestId of ['a', 'b'])
        fleet.members[0]!.replica.replicator.add(report({ requestId, owner: 'gw' }));
      fleet.exchange();
      fleet.pass(3 * ttlUs, ttlUs / 3 - EVERY, ttlMs, () => expect(fleet.queued).toEqual([2, 2, 2]));
      const apartUs = (Math.max(...aheadS) - Math.min(...aheadS)) * SECOND;
      fleet.pass(ttlUs + apartUs + SECOND);
      expect(fleet.queued).toEqual([0, 0, 0]);
    },
  );

  it('is not taken for dead by a replica that is cut off for three ttl, nor when that is back, and is so by one that hears its silence (I13)', () => {
    const fleet = new Fleet([0, 0, 0]);
    const [cut, ...others] = fleet.members as [Member, ...Member[]];
    cut.replica.replicator.add(report({ owner: 'gw' }));
    cut.replica.replicator.renewLease('gw', 8_000);
    fleet.pass(SECOND);
    cut.hears = false;
    const renewed = (): void => {
      others[0]!.replica.replicator.renewLease('gw', 8_000);
      fleet.pass(2 * SECOND, Infinity, 0, () => expect(fleet.queued).toEqual([1, 1, 1]));
    };
    for (let i = 0; i < 12; i++) renewed();
    cut.hears = true;
    renewed();
    fleet.pass(9 * SECOND);
    expect(fleet.queued).toEqual([0, 0, 0]);
  });
});

describe('The time of leases', () => {
  it('stands still until the replica has caught up, and begins there with nothing missed', () => {
    const clock = new LeaseClock();
    expect(clock.at(START, false, true).nowUs).toBe(-Infinity);
    expect(clock.at(START + SECOND, true, true)).toEqual({ nowUs: START + SECOND, heardSinceUs: -Infinity });
  });

  it('begins with what was missed where the bus is not there when the replica has caught up', () => {
    const clock = new LeaseClock();
    expect(clock.at(START, true, false).nowUs).toBe(-Infinity);
    expect(clock.at(START + EVERY, true, true)).toEqual({
      nowUs: START + EVERY,
      heardSinceUs: START + EVERY,
    });
  });

  it.each([
    ['the replica is cut off', (clock: LeaseClock) => clock.at(START + EVERY, true, false)],
    ['the replica is not ready any more', (clock: LeaseClock) => clock.at(START + EVERY, false, true)],
  ])('stands still while %s, and gives everybody time when it goes on', (_what, interrupted) => {
    const clock = new LeaseClock();
    clock.at(START, true, true);
    expect(interrupted(clock)).toEqual({ nowUs: START, heardSinceUs: -Infinity });
    const back = START + 2 * EVERY;
    expect(clock.at(back, true, true)).toEqual({ nowUs: back, heardSinceUs: back });
    expect(clock.at(back + EVERY, true, true)).toEqual({ nowUs: back + EVERY, heardSinceUs: back });
  });

  it('gives everybody time after a pause of the process', () => {
    const clock = new LeaseClock();
    clock.at(START, true, true);
    const back = START + 20 * SECOND;
    expect(clock.at(back, true, true)).toEqual({ nowUs: back, heardSinceUs: back });
  });
});

describe('Events of owners', () => {
  it('are numbered by themselves, and claimed to those who can read them only (I9)', () => {
    const { replica } = new Member('a', 0);
    replica.replicator.add(report());
    replica.replicator.renewLease('gw', 3_000);
    replica.replicator.delete('r');
    replica.replicator.endOwner('gw');
    expect(
      replica
        .take()
        .map(anyEventOf)
        .map(({ type, origin, seq }) => [type, origin, seq]),
    ).toEqual([
      ['add', 'a', 1],
      ['owner', 'a.owners', 1],
      ['delete', 'a', 2],
      ['owner-gone', 'a.owners', 2],
    ]);
    const { context } = replica.replicator;
    const claimed = (level: number): unknown =>
      context.toJSON(level).map(([origin, , , ...seqs]) => [origin, ...seqs]);
    expect(claimed(2)).toEqual([
      ['a', 1, 2],
      ['a.owners', 1, 2],
    ]);
    expect(claimed(1)).toEqual([['a', 1, 2], ['a.owners']]);
    expect(context.levels).toEqual([['a.owners', 2, 1, 2]]);
  });

  it('end what a clock that is ahead has reported, and are dropped beyond the ceiling, counted (I2, I7)', () => {
    const [a, b] = [new Replica('a'), new Replica('b', { maxOwners: 1 }, { ownerCeiling: 1 })];
    a.nowUs += 5 * SECOND;
    a.replicator.add(report({ owner: 'gw' }));
    b.receive(a.take());
    expect(b.replicator.endOwner('gw')).toBe('accepted');
    expect(b.rows()).toEqual([['10.0.0.1', 0, 0]]);
    a.receive(b.take());
    expect(a.rows()).toEqual([['10.0.0.1', 0, 0]]);
    expect(b.replicator.renewLease('other', 3_000)).toBe('too-many-owners');
    a.replicator.renewLease('other', 3_000);
    b.receive(a.take());
    expect(b.replicator.counts.dropped).toEqual(new Map([['owner-ceiling', 1]]));
    expect(b.replicator.counts.refused['too-many-owners']).toBe(1);
  });
});
