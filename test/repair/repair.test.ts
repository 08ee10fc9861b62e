import { CausalContext } from '../../src/core/causal-context';
import type { LoadEvent } from '../../src/core/event';
import type { LoadStatsOptions } from '../../src/core/load-stats';
import { LoadStats } from '../../src/core/load-stats';
import { snapshotLines } from '../../src/core/snapshot';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { digestsOf } from '../../src/repair/digests';
import { MAX_CHASES } from '../../src/repair/holes';
import type { HistoryState } from '../../src/repair/joining';
import { repairOptions } from '../../src/repair/repair-options';
import type { PeerState } from '../../src/repair/peer';
import type { Heartbeat, PeerStatus } from '../../src/repair/protocol';
import type { Command, Input, News } from '../../src/repair/repair';
import { MAX_HEARD, Repair } from '../../src/repair/repair';
import { CONTEXT_LIMITS, contextOptions } from '../../src/replication/limits';
import { viewOptions } from '../support/view-options';

const DEPLOYMENT = { deployment: 'prod', speaks: 1 };
const SELF = { replica: 'own', ...DEPLOYMENT };

const SECOND = 1_000_000;
const NOW = 10_000 * SECOND;
const ADDRESS = '10.1.0.2';
const OTHER = '10.1.0.3';
const OPTIONS = viewOptions();
const CONTEXT = contextOptions(OPTIONS);

class Peer {
  readonly stats = new LoadStats(OPTIONS);
  readonly context = new CausalContext(CONTEXT);

  ready = true;

  constructor(readonly replica: string) {}

  sees(event: LoadEvent): void {
    this.stats.apply(event, event.timeUs);
    this.context.observe(event.origin, event.seq, event.timeUs, event.timeUs);
  }

  status(): PeerStatus {
    const digests = digestsOf(this.stats, NOW);
    const { replica } = this;
    return { ...DEPLOYMENT, replica, ready: this.ready, timeUs: NOW, context: this.context.copy(), digests };
  }
}

class Repairing {
  readonly stats: LoadStats;
  readonly context = new CausalContext(CONTEXT);
  readonly machine: Repair;
  /** Every command so far. */
  readonly commands: Command[] = [];
  history: HistoryState = 'none';
  busConnected = true;
  nowUs = NOW;
  private monotonicUs = 0;

  /** Unless told otherwise it does not ask again who is there: nobody would answer. */
  constructor(
    limits: Partial<LoadStatsOptions> = {},
    addresses: readonly string[] = [ADDRESS],
    healthEveryUs = Infinity,
    speaks = 1,
  ) {
    this.stats = new LoadStats({ ...OPTIONS, ...limits });
    this.machine = new Repair({ ...SELF, speaks }, this.stats, this.context, () => 0.5, {
      ...repairOptions(OPTIONS),
      healthEveryUs,
    });
    this.step({ kind: 'addresses', addresses });
  }

  get compared(): string[] {
    return this.commands.flatMap((command) =>
      command.kind === 'ask' && command.digestsAtUs !== undefined ? [command.address] : [],
    );
  }

  get pulls(): Extract<Command, { kind: 'pull' }>[] {
    return this.commands.filter((command) => command.kind === 'pull');
  }

  get replays(): number[] {
    return this.commands.flatMap((command) => (command.kind === 'replay' ? [command.sinceUs] : []));
  }

  /** What was told of it. */
  news(news: News): Record<string, unknown>[] {
    return this.commands.flatMap((command) =>
      command.kind === 'tell' && command.news === news ? [command.fields] : [],
    );
  }

  step(input: Input): Command[] {
    const commands = this.machine.step(input, this.nowUs, this.monotonicUs);
    this.commands.push(...commands);
    return commands;
  }

  sees(event: LoadEvent): void {
    this.stats.apply(event, event.timeUs);
    this.context.observe(event.origin, event.seq, event.timeUs, event.timeUs);
  }

  hears(replica: string, aheadUs = 0, ready = true): void {
    const heartbeat: Heartbeat = { replica, ...DEPLOYMENT, ready, timeUs: this.nowUs - aheadUs, highest: [] };
    this.step({ kind: 'heartbeat', heartbeat });
  }

  /** What a peer says of itself; each `ask` is answered once. */
  answer(peer: Peer, address = ADDRESS): Command[] {
    return this.step({ kind: 'status', address, status: peer.status() });
  }

  fails(address = ADDRESS, foreign = false): void {
    this.step({ kind: 'failed', address, reason: 'test', foreign });
  }

  /** Merges so many lines of what the peer answers to the latest pull, or all of them. */
  receive(peer: Peer, lines = Infinity): SnapshotMerge {
    const merge = new SnapshotMerge(this.stats, CONTEXT, SELF);
    const { selection } = this.pulls.at(-1)!;
    const source = { ...DEPLOYMENT, replica: peer.replica, ready: peer.ready };
    for (const line of snapshotLines(peer.stats, peer.context, source, selection)) {
      if (lines-- > 0) merge.line(line, NOW);
    }
    return merge;
  }

  pulled(peer: Peer, address = ADDRESS): void {
    this.step({ kind: 'pulled', address, merge: this.receive(peer) });
  }

  /** It has caught up long ago. */
  established(): this {
    this.machine['joiningState'] = { ready: true, caughtUp: true, reason: 'test' };
    return this;
  }

  /** Compares with a peer that has what is missing here, so that it is pulled. */
  compare(peer: Peer): void {
    this.established();
    this.answer(peer);
    this.passes(SECOND);
    this.answer(peer);
  }

  passes(us: number, clockStepUs = 0): void {
    this.nowUs += clockStepUs;
    for (let passed = 0; passed < us; passed += SECOND / 10) {
      this.nowUs += SECOND / 10;
      this.monotonicUs += SECOND / 10;
      this.step({
        kind: 'tick',
        around: { busConnected: this.busConnected, peersKnown: true, history: this.history },
      });
    }
  }

  /** The process does not run for so long. */
  isSuspended(us: number): void {
    this.nowUs += us;
    this.monotonicUs += us;
  }
}

function add(origin: string, seq: number): LoadEvent {
  const row = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
  const timeUs = NOW - 100 * SECOND + seq * SECOND;
  return { type: 'add', origin, seq, timeUs, requestId: `${origin}-${seq}`, ...row };
}

/** So many events that what is missing of them is not most of the state. */
function established(...replicas: { sees(event: LoadEvent): void }[]): void {
  for (let seq = 1; seq <= 20; seq++) for (const replica of replicas) replica.sees(add('old', seq));
}

function statesOf({ machine }: Repairing): Record<string, PeerState> {
  return Object.fromEntries(Object.entries(machine.peers).map(([address, { state }]) => [address, state]));
}

describe('A peer that does not answer', () => {
  it('may be late twice, and is asked again soon; the third time in a row it is unreachable (I6)', () => {
    const here = new Repairing({}, [ADDRESS], 5 * SECOND).established();
    const asks = (): number => here.commands.filter(({ kind }) => kind === 'ask').length;
    here.answer(new Peer('peer'));
    here.passes(6 * SECOND);
    for (let times = 0; times < 2; times++) {
      here.fails();
      expect(statesOf(here)).toEqual({ [ADDRESS]: 'ready' });
      const before = asks();
      here.passes(SECOND / 2);
      expect(asks()).toBe(before + 1);
    }
    here.fails();
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'unreachable' });
    expect(here.news('peer unreachable')).toHaveLength(1);
  });

  it('is not unreachable for answers that were late before its last one', () => {
    const here = new Repairing().established();
    const peer = new Peer('peer');
    here.answer(peer);
    for (let times = 0; times < 5; times++) {
      here.fails();
      here.answer(peer);
    }
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'ready' });
    expect(here.news('peer unreachable')).toEqual([]);
  });

  it('is unreachable at once when it has never answered', () => {
    const here = new Repairing();
    here.fails();
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'unreachable' });
  });
});

describe('Forged events and heartbeats', () => {
  const forge = (here: Repairing, count: number, prefix: string): void => {
    for (let i = 0; i < count; i++) here.context.observe(`${prefix}-${i}`, 3, NOW, NOW);
  };

  it('are chased so many at a time, and do not keep what a live peer lost from being pulled at once (I4, I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing().established()];
    here.answer(peer);
    established(peer, here);
    forge(here, 2_000, 'forged');
    here.passes(SECOND);
    expect(here.machine.chase.chased).toBe(MAX_CHASES);
    expect(here.machine.chase.deferred).toBeGreaterThan(1_000);
    here.answer(peer);
    const before = here.compared.length;
    peer.sees(add('peer', 1));
    here.context.announce('peer', 1, NOW, NOW);
    here.passes(SECOND);
    expect(here.compared.length).toBeGreaterThan(before);
    here.answer(peer);
    here.pulled(peer);
    expect(here.context.has('peer', 1)).toBe(true);
    expect(here.machine.chase.chased).toBeLessThanOrEqual(MAX_CHASES);
  });

  it('make a replica neither ask nor replay without end (I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing().established()];
    here.history = 'done';
    here.answer(peer);
    for (let tick = 0; tick < 600; tick++) {
      forge(here, 5, `of tick ${tick}`);
      const replays = here.replays.length;
      const asked = here.compared.length;
      here.passes(SECOND / 10);
      if (here.replays.length > replays) here.step({ kind: 'replaying' });
      if (here.compared.length > asked) here.answer(peer);
    }
    // A minute: once a second, and the alarm; at 0, 5, 15 and 35 s.
    expect(here.compared.length).toBeLessThan(100);
    expect(here.replays.length).toBeLessThanOrEqual(5);
    here.passes(35 * SECOND);
    expect(here.news('given-up-of').length).toBeLessThan(600 * 5);
  });

  it('of ever new replicas with wrong clocks are told together, and nothing of them is remembered (I7)', () => {
    const here = new Repairing({}, []).established();
    for (let i = 0; i < 200; i++) {
      here.hears(`forged-${i}`, i % 3 === 0 ? 100 * SECOND : 0);
      here.passes(SECOND);
    }
    expect(here.news('clock').length).toBeGreaterThan(0);
    expect(here.machine.others.replicas.length).toBeLessThan(20);
  });

  it('of a lying peer that is another one each time, with thousands of origins, do not keep a true one from mending (I4, I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing({}, [ADDRESS, OTHER], 5 * SECOND).established()];
    established(peer, here);
    let answered = 0;
    // Whoever is asked answers at once: the liar claims what nobody has, and shows nothing.
    const answers = (): void => {
      for (; answered < here.commands.length; answered++) {
        const command = here.commands[answered]!;
        if (command.kind === 'ask' && command.address === OTHER) {
          const liar = new Peer(`liar-${answered}`);
          for (let i = 0; i < 4_000; i++)
            liar.context.observe(`of ${answered}-${i % 1_000}`, 7 + 2 * i, NOW, NOW);
          here.answer(liar, OTHER);
        } else if (command.kind === 'ask') here.answer(peer);
        else if (command.kind === 'pull' && command.address === OTHER) here.fails(OTHER);
        else if (command.kind === 'pull') here.pulled(peer);
      }
    };
    for (let seq = 1; seq <= 20; seq++) {
      peer.sees(add('peer', seq));
      here.context.announce('peer', seq, NOW, NOW);
      for (let tick = 0; tick < 30; tick++) {
        here.passes(SECOND / 10);
        answers();
      }
      expect(here.context.has('peer', seq)).toBe(true);
    }
    expect(here.context.originCount).toBeLessThanOrEqual(CONTEXT_LIMITS.maxOrigins);
    expect(here.machine.chase.chased).toBe(MAX_CHASES);
    expect(here.machine.chase.deferred).toBeGreaterThan(0);
    // A minute of one question a second to either, and health.
    expect(here.compared.length).toBeLessThan(150);
  });

  it.each([
    ['with the token, that claims all that the others have', true],
    ['without it, that claims what nobody has', false],
  ])('of a lying peer %s, cost nothing but rows that are not (I2, I4)', (_who, knows) => {
    const [peer, here] = [new Peer('peer'), new Repairing({}, [ADDRESS, OTHER], 5 * SECOND).established()];
    established(peer, here);
    const liar = new Peer('liar');
    for (let seq = 1; seq <= 5; seq++) liar.sees(add('nobody', seq));
    const lies = (): PeerStatus => {
      const context = knows ? peer.context.copy() : liar.context.copy();
      context.join(liar.context, '', NOW);
      const { digests } = knows ? peer.status() : liar.status();
      return { ...liar.status(), context, digests };
    };
    let answered = 0;
    const answers = (): void => {
      for (; answered < here.commands.length; answered++) {
        const command = here.commands[answered]!;
        const isLiar = 'address' in command && command.address === OTHER;
        if (command.kind === 'ask') {
          const status = { ...(isLiar ? lies() : peer.status()), timeUs: here.nowUs };
          here.step({ kind: 'status', address: command.address, status });
        }
        if (command.kind === 'pull') here.pulled(isLiar ? liar : peer, command.address);
      }
    };
    for (let seq = 1; seq <= 20; seq++) {
      peer.sees(add('peer', seq));
      here.context.announce('peer', seq, here.nowUs, here.nowUs);
      for (let tick = 0; tick < 30; tick++) {
        here.passes(SECOND / 10);
        answers();
      }
    }
    // The other one is lied to likewise. Then both claim the same, and what was claimed and not shown is found by the alarm.
    for (let seq = 1; seq <= 5; seq++) peer.sees(add('nobody', seq));
    for (let tick = 0; tick < 900; tick++) {
      here.passes(SECOND / 10);
      answers();
    }
    const idsOf = ({ stats: { inFlight } }: { stats: LoadStats }): string[] =>
      Array.from({ length: inFlight.slotEnd }, (_, slot) => inFlight.firstOf(slot)?.requestId ?? [])
        .flat()
        .sort();
    expect(idsOf(here)).toEqual(idsOf(peer));
  });

  it('in the name of a live peer hide what it lost on the bus no longer than until the alarm compares with it (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing({}, [ADDRESS], 5 * SECOND).established()];
    established(peer, here);
    here.context.observe('peer', 1, NOW, NOW);
    peer.sees(add('peer', 1));
    let answered = 0;
    let tick = 0;
    for (; tick < 600 && here.stats.inFlight.size < peer.stats.inFlight.size; tick++) {
      here.passes(SECOND / 10);
      for (; answered < here.commands.length; answered++) {
        const command = here.commands[answered]!;
        const status = { ...peer.status(), timeUs: here.nowUs };
        if (command.kind === 'ask') here.step({ kind: 'status', address: ADDRESS, status });
        if (command.kind === 'pull') here.pulled(peer);
      }
    }
    // 30 s by the alarm, and a second to each of its looks.
    expect(tick).toBeLessThan(350);
    expect(here.news('divergence')).toHaveLength(1);
  });

  it('of a thousand replicas with wrong clocks neither take it out of service nor push a live peer out (I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing().established()];
    here.answer(peer);
    for (let second = 0; second < 5; second++) {
      here.hears('peer');
      for (let i = 0; i < 1_000; i++) here.hears(`forged-${i}`, 3_600 * SECOND);
      here.passes(SECOND);
    }
    expect(here.machine.joining.ready).toBe(true);
    expect([here.machine.clock.off, here.machine.clock.alone]).toEqual([false, false]);
    expect(here.machine.others.replicas.length).toBeLessThanOrEqual(MAX_HEARD + 1);
    expect(here.machine.counts.heartbeatsRefused).toBeGreaterThan(4_000);
    expect(here.context.isProtected('peer')).toBe(true);
  });
});

describe('What is missing', () => {
  it('is pulled, and only the seconds that differ; what ended meanwhile comes with it (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    peer.sees({ type: 'delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' });
    expect(here.pulls).toHaveLength(1);
    expect(here.pulls[0]!.selection!.adds).toHaveLength(1);
    here.pulled(peer);
    expect(here.context.has('a', 1)).toBe(true);
    expect(here.stats.statusOf('a-1', NOW).deletedUs).toBe(NOW);
  });

  it('is not claimed when another process has taken the place of the one compared with (I4)', () => {
    const [peer, successor, here] = [new Peer('peer'), new Peer('successor'), new Repairing()];
    established(peer, successor, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    here.pulled(successor);
    expect(here.context.has('a', 1)).toBe(false);
    expect(here.machine.missing).toBe(1);
  });

  it('of a level that is not spoken here is neither chased nor claimed, also of an origin that was not heard of before (I9)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    peer.sees(add('a', 1));
    here.compare(peer);
    expect(here.pulls[0]!.selection).toBeUndefined();
    peer.sees(add('x', 1));
    peer.context.observeLevel('x', 2, 3, NOW, NOW);
    here.pulled(peer);
    expect(here.context.levels).toEqual([['x', 3, 2, 2]]);
    expect(here.context.holes().size).toBe(0);
  });

  it('is not claimed where there was no room for it (I4, I7)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing({ inFlightCeiling: 20 })];
    established(peer, here);
    peer.sees(add('a', 1));
    here.compare(peer);
    here.pulled(peer);
    expect([here.context.has('a', 1), here.machine.missing]).toEqual([false, 1]);
  });

  it('is known by a snapshot that breaks off (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    peer.sees(add('a', 1));
    here.compare(peer);
    peer.sees(add('a', 2));
    const named = here.receive(peer, 2).context;
    here.step({ kind: 'failed', address: ADDRESS, reason: 'test', foreign: false, named });
    expect(here.context.holes().get('a')?.toJSON()).toEqual([1, 2]);
  });

  it('is looked for at once, whatever else has been missing for long (I4)', () => {
    const here = new Repairing().established();
    here.answer(new Peer('peer'));
    here.context.announce('gone', 1, NOW, NOW);
    // Until right after an attempt, when the next one is as far away as it gets.
    for (let attempts = 0; attempts < 6;) {
      here.passes(SECOND / 10);
      if (here.compared.length === attempts) continue;
      here.answer(new Peer('peer'));
      attempts++;
    }
    here.context.announce('a', 1, NOW, NOW);
    here.passes(SECOND);
    expect(here.compared.length).toBeGreaterThan(6);
  });

  it('is not looked for after one look: it may be on its way (I7)', () => {
    const here = new Repairing().established();
    here.answer(new Peer('peer'));
    here.passes(SECOND);
    here.context.announce('a', 1, NOW, NOW);
    here.passes(SECOND / 5);
    here.context.observe('a', 1, NOW, NOW);
    here.passes(SECOND);
    expect(here.compared).toEqual([]);
  });

  it.each([-90, -5, 0, 100])('is pulled as soon, though the clock steps by %s s (I4)', (stepS) => {
    const [peer, here] = [new Peer('peer'), new Repairing().established()];
    established(peer, here);
    peer.sees(add('a', 1));
    here.passes(SECOND / 10);
    here.answer(peer);
    here.passes(SECOND, stepS * SECOND);
    expect(here.compared).toEqual([ADDRESS]);
  });

  it('is given up after its time, but not for a process that was suspended; a peer that shows it revives it (I4)', () => {
    const here = new Repairing({}, []).established();
    here.context.announce('gone', 1, NOW, NOW);
    here.passes(SECOND);
    expect(here.machine.missing).toBe(1);
    here.isSuspended(600 * SECOND);
    here.passes(SECOND);
    expect([here.machine.missing, here.machine.counts.eventsGivenUp]).toEqual([1, 0]);
    here.passes(31 * SECOND);
    expect([here.machine.missing, here.machine.counts.eventsGivenUp]).toEqual([0, 1]);
    expect(here.news('given-up')).toHaveLength(1);
    const peer = new Peer('peer');
    peer.context.observe('gone', 1, NOW, NOW);
    here.step({ kind: 'addresses', addresses: [ADDRESS] });
    here.answer(peer);
    here.passes(SECOND);
    expect(here.machine.missing).toBe(1);
  });

  it('is got from another peer while one is slow, and that one may still end (I4)', () => {
    const [slow, other, here] = [new Peer('slow'), new Peer('other'), new Repairing()];
    established(slow, other, here);
    slow.sees(add('a', 1));
    other.sees(add('a', 1));
    here.compare(slow);
    expect(here.pulls).toHaveLength(1);
    here.step({ kind: 'addresses', addresses: [ADDRESS, OTHER] });
    here.answer(other, OTHER);
    here.passes(SECOND);
    expect(here.compared).not.toContain(OTHER);
    here.passes(4 * SECOND);
    expect(here.compared).toContain(OTHER);
    here.answer(other, OTHER);
    here.pulled(other, OTHER);
    expect([here.context.has('a', 1), here.machine.missing]).toEqual([true, 0]);
    here.fails();
  });

  it.each([ADDRESS, OTHER])('is looked for first at a peer that has seen it: %s (I4)', (address) => {
    const [peer, other, here] = [new Peer('peer'), new Peer('other'), new Repairing({}, [ADDRESS, OTHER])];
    here.established();
    peer.sees(add('a', 1));
    here.answer(peer, address);
    here.answer(other, address === OTHER ? ADDRESS : OTHER);
    here.passes(SECOND);
    expect(here.compared).toEqual([address]);
  });

  it('is replayed from the history once before it is given up, and only where no peer has it (I4)', () => {
    const here = new Repairing({}, []).established();
    here.context.announce('x', 1, NOW, NOW);
    here.passes(2 * SECOND);
    expect(here.replays).toEqual([]);
    here.passes(SECOND);
    // It is asked for until it has begun.
    expect(here.replays.length).toBeGreaterThan(1);
    expect(Math.abs(here.replays[0]! - (NOW - 60 * SECOND))).toBeLessThan(SECOND);
    here.step({ kind: 'replaying' });
    const before = here.replays.length;
    here.passes(40 * SECOND);
    expect(here.replays).toHaveLength(before);

    const [peer, beside] = [new Peer('peer'), new Repairing().established()];
    peer.context.observe('x', 1, NOW, NOW);
    beside.answer(peer);
    for (let i = 0; i < 100; i++) {
      beside.passes(SECOND / 10);
      if (beside.compared.length > 0) beside.answer(peer);
    }
    expect(beside.replays).toEqual([]);
  });

  it('is no loss yet while a starting replica replays', () => {
    const here = new Repairing({}, []);
    here.history = 'replaying';
    here.context.announce('x', 1, NOW, NOW);
    here.passes(60 * SECOND);
    expect([here.replays, here.news('given-up'), here.machine.missing]).toEqual([[], [], 0]);
  });

  it('may be rows only: those of finished requests that were never heard of, though nothing else differs (I1)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer, here);
    const end: LoadEvent = { type: 'delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' };
    peer.sees({ ...add('a', 1), ip: '10.0.0.9' } as LoadEvent);
    for (const replica of [peer, here]) replica.sees(end);
    here.compare(peer);
    here.pulled(peer);
    const rows = (stats: LoadStats): string => stats.engines.rowsJson('m');
    expect(rows(here.stats)).toContain('10.0.0.9');
    expect(rows(here.stats)).toBe(rows(peer.stats));
  });

  it('shows the same time of a row, whether a late prompt-delete came before the finished request or after it (I1)', () => {
    const events: LoadEvent[] = [
      add('a', 1),
      { type: 'delete', origin: 'a', seq: 2, timeUs: NOW - SECOND, requestId: 'a-1' },
    ];
    const late: LoadEvent = { type: 'prompt-delete', origin: 'b', seq: 1, timeUs: NOW, requestId: 'a-1' };
    const [peer, here] = [new Peer('peer'), new Repairing()];
    for (const event of events) peer.sees(event);
    here.sees(late);
    here.compare(peer);
    here.pulled(peer);
    peer.sees(late);
    expect(here.stats.engines.rowsJson('m')).toBe(peer.stats.engines.rowsJson('m'));
  });
});

describe('The alarm', () => {
  const disagreeing = (speaks = 1): { peer: Peer; here: Repairing } => {
    const [peer, here] = [new Peer('peer'), new Repairing({}, [ADDRESS, OTHER], Infinity, speaks)];
    here.established();
    established(peer, here);
    for (const address of [ADDRESS, OTHER]) here.answer(peer, address);
    return { peer, here };
  };

  /** For so long every comparison is answered, by the same peer. */
  const compares = (here: Repairing, peer: Peer, seconds: number): void => {
    for (let tick = 0; tick < 10 * seconds; tick++) {
      const before = here.compared.length;
      here.passes(SECOND / 10);
      if (here.compared.length > before) here.answer(peer, here.compared.at(-1));
    }
  };

  it('is raised within seconds of a comparison where states differ that have seen the same, and they are merged (I1)', () => {
    const { peer, here } = disagreeing();
    peer.sees(add('a', 1));
    here.context.observe('a', 1, NOW, NOW);
    compares(here, peer, 35);
    expect(here.news('divergence')).toMatchObject([{ seconds: { adds: [expect.any(Number)] } }]);
    expect(here.machine.counts.divergences).toBe(1);
    expect([here.pulls.length, new Set(here.compared).size]).toEqual([1, 1]);
    here.pulled(peer, here.compared[0]);
    expect(here.stats.inFlight.size).toBe(peer.stats.inFlight.size);
  });

  it.each([1, 2])(
    'is not raised about whose requests are while some replica does not speak of that: one speaks %s (I9)',
    (speaks) => {
      const [peer, here] = [new Peer('peer'), new Repairing({}, [ADDRESS, OTHER], SECOND, 2).established()];
      const owned = add('a', 1);
      peer.sees({ ...owned, owner: 'gateway' } as LoadEvent);
      here.sees(owned);
      const answers: Record<string, PeerStatus> = {
        [ADDRESS]: { ...peer.status(), speaks: 2 },
        [OTHER]: { ...peer.status(), replica: 'other', speaks, digests: undefined },
      };
      for (let answered = 0, tick = 0; tick < 700; tick++) {
        here.passes(SECOND / 10);
        for (; answered < here.commands.length; answered++) {
          const command = here.commands[answered]!;
          if (command.kind !== 'ask') continue;
          const status = { ...answers[command.address]!, timeUs: here['nowUs'] };
          here.step({ kind: 'status', address: command.address, status });
        }
      }
      expect(here.news('divergence')).toHaveLength(speaks - 1);
    },
  );

  it('does not compare with a replica whose clock is further away than R, and pulls nothing from it (I2)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing().established()];
    established(peer, here);
    peer.sees(add('a', 1));
    for (const aheadS of [-64, 64, 30]) {
      const status = { ...peer.status(), timeUs: here['nowUs'] + aheadS * SECOND };
      here.step({ kind: 'status', address: ADDRESS, status });
      here.passes(2 * SECOND);
      here.step({ kind: 'status', address: ADDRESS, status });
      expect(here.pulls).toHaveLength(aheadS === 30 ? 1 : 0);
    }
  });
});

describe('A replica that joins', () => {
  /** It is answered by a ready peer: who is there, and what differs. */
  const asksToBeShown = (here: Repairing, peer: Peer, address = ADDRESS): void => {
    here.answer(peer, address);
    here.passes(SECOND / 10);
    here.answer(peer, address);
  };

  it('is ready by what one peer has shown, where another one is slow to show it (I4, I6)', () => {
    const [peer, slow, here] = [new Peer('peer'), new Peer('slow'), new Repairing({}, [OTHER, ADDRESS])];
    here.answer(peer);
    asksToBeShown(here, slow, OTHER);
    here.passes(SECOND);
    expect(here.compared).toEqual([OTHER]);
    here.passes(1.5 * SECOND);
    expect(here.compared).toEqual([OTHER, ADDRESS]);
    here.answer(peer);
    here.pulled(peer);
    here.passes(SECOND / 10);
    expect(here.machine.joining).toMatchObject({ ready: true, reason: 'caught up with its peers' });
  });

  it('asks a peer that could not show its state again, after a pause (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    asksToBeShown(here, peer);
    here.fails();
    here.passes(SECOND / 10);
    expect(here.compared).toHaveLength(1);
    here.passes(SECOND / 2);
    expect(here.compared).toHaveLength(2);
    here.answer(peer);
    here.pulled(peer);
    here.passes(SECOND / 10);
    expect(here.machine.joining).toMatchObject({ ready: true, caughtUp: true });
  });

  it('does not wait for a peer that cannot show its state where the history has shown it (I6)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    here.history = 'done';
    asksToBeShown(here, peer);
    expect(here.machine.joining.ready).toBe(false);
    here.fails();
    here.passes(SECOND / 10);
    expect(here.machine.joining).toMatchObject({ ready: true, reason: 'history replayed' });
  });

  it('has not caught up by what it asked for before its subscription stood (I4)', () => {
    const [peer, here] = [new Peer('peer'), new Repairing()];
    established(peer);
    asksToBeShown(here, peer);
    here.busConnected = false;
    here.passes(SECOND / 10);
    here.busConnected = true;
    here.pulled(peer);
    here.passes(SECOND / 10);
    expect(here.machine.joining.ready).toBe(false);
    here.passes(SECOND);
    here.answer(peer);
    here.pulled(peer);
    here.passes(SECOND / 10);
    expect(here.machine.joining).toMatchObject({ ready: true, reason: 'caught up with its peers' });
  });

  it('is shown again what peers showed before its subscription broke (I4)', () => {
    const [peer, other, here] = [new Peer('peer'), new Peer('other'), new Repairing({}, [ADDRESS, OTHER])];
    here.answer(other, OTHER);
    asksToBeShown(here, peer);
    here.pulled(peer);
    here.busConnected = false;
    here.passes(SECOND / 10);
    here.busConnected = true;
    here.passes(SECOND / 10);
    expect(here.compared).toEqual([ADDRESS, ADDRESS]);
  });
});

describe('Who is who', () => {
  it('an address of another deployment is asked for nothing but who it is, and told once (I9)', () => {
    const here = new Repairing({}, [ADDRESS], 5 * SECOND);
    here.fails(ADDRESS, true);
    here.context.announce('a', 1, NOW, NOW);
    for (let i = 0; i < 4; i++) {
      here.passes(6 * SECOND);
      here.fails(ADDRESS, true);
    }
    expect([here.compared, here.pulls]).toEqual([[], []]);
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'other-deployment' });
    expect(here.news('peer other-deployment')).toHaveLength(1);
    here.passes(6 * SECOND);
    here.answer(new Peer('peer'));
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'ready' });
  });

  it('an address that leads back to this replica is no peer, and told once (I6)', () => {
    const here = new Repairing({}, [ADDRESS], 5 * SECOND);
    for (let i = 0; i < 3; i++) {
      here.answer(new Peer('own'));
      here.passes(6 * SECOND);
    }
    expect(statesOf(here)).toEqual({ [ADDRESS]: 'itself' });
    expect(here.news('peer itself')).toHaveLength(1);
    expect(here.machine.joining).toMatchObject({ ready: true, reason: 'there is no peer' });
  });

  it('an address that does not answer is asked one thing at a time (I7)', () => {
    const here = new Repairing({}, [ADDRESS], 5 * SECOND);
    here.passes(60 * SECOND);
    expect(here.commands.filter(({ kind }) => kind === 'ask')).toHaveLength(1);
  });

  it('hears the others, or waits until they are known to be gone: all silent at once may be a dead link (I13)', () => {
    const here = new Repairing({}, []);
    expect(here.machine.hears).toBe(true);
    here.hears('peer');
    here.passes(2 * SECOND);
    expect(here.machine.hears).toBe(true);
    here.passes(SECOND);
    expect(here.machine.hears).toBe(false);
    here.hears('another');
    expect(here.machine.hears).toBe(true);
    here.passes(16 * SECOND);
    expect(here.machine.hears).toBe(true);
  });

  it('does not remember what a heartbeat claims to be from further ahead than R (I7)', () => {
    const here = new Repairing({}, []);
    const highest: Heartbeat['highest'] = [59, 61].map((aheadS) => [`o${aheadS}`, NOW + aheadS * SECOND, 1]);
    here.step({
      kind: 'heartbeat',
      heartbeat: { replica: 'x', ...DEPLOYMENT, ready: true, timeUs: NOW, highest },
    });
    expect(['o59', 'o61'].map((origin) => here.context.knows(origin))).toEqual([true, false]);
  });

  it('announces that its events go on, those of owners too, so that nobody forgets them (I4)', () => {
    const here = new Repairing({}, []);
    here.context.observe('own', 1, NOW, NOW);
    here.context.observe('own.owners', 1, NOW, NOW);
    const forgetAfterUs = 2 * (OPTIONS.expireAfterUs + OPTIONS.finishedRetentionUs);
    here.passes(forgetAfterUs + 2 * SECOND);
    expect(here.context.knows('own.owners')).toBe(true);
    const heartbeats = here.commands.flatMap((command) =>
      command.kind === 'heartbeat' ? command.heartbeat : [],
    );
    const { timeUs, highest } = heartbeats.at(-1)!;
    expect(highest).toEqual([
      ['own', timeUs, 1],
      ['own.owners', timeUs, 1],
    ]);
  });

  it('the fleet speaks what the least of its replicas speaks, until that is gone (I9)', () => {
    const here = new Repairing({}, []);
    here.hears('old');
    expect(here.machine.fleetSpeaks).toBe(1);
  });
});

describe('The clock', () => {
  const CLOCK = 600 * SECOND;

  it('of a starting replica that differs from that of a ready one by more than R keeps it from being ready (I2)', () => {
    const here = new Repairing();
    here.hears('peer', CLOCK);
    here.passes((60 * SECOND) / 10);
    expect(here.machine.joining).toMatchObject({ ready: false });
    expect(here.machine.joining.reason).toContain('600 s ahead of');
    expect(here.pulls).toEqual([]);
  });

  it('of a replica that is alone with its time makes it unready, also once it serves; it is told once (I2)', () => {
    const here = new Repairing({}, []).established();
    for (let i = 0; i < 4; i++) {
      for (const replica of ['x', 'y']) here.hears(replica, -CLOCK);
      here.passes(SECOND);
    }
    expect(here.machine.joining.ready).toBe(false);
    expect(here.news('unready')).toHaveLength(1);
    expect(here.news('clock')).toHaveLength(1);
  });

  it('of another replica that is alone with its time is told, and changes nothing here (I2)', () => {
    const here = new Repairing({}, []).established();
    for (let i = 0; i < 4; i++) {
      here.hears('x', CLOCK);
      here.hears('y');
      here.passes(SECOND);
    }
    expect(here.machine.joining.ready).toBe(true);
    expect(here.machine.clock.off).toBe(false);
    expect(here.news('clock')).toMatchObject([{ peer_replica: 'x' }]);
  });

  it('of one of two is off at both, and nobody knows whose: both serve, degraded (I6)', () => {
    const here = new Repairing({}, []).established();
    here.hears('x', CLOCK);
    here.passes(SECOND);
    expect([here.machine.clock.off, here.machine.joining.ready]).toEqual([true, true]);
  });

  it('is not off because heartbeats come late (I6)', () => {
    const here = new Repairing({}, []).established();
    here.hears('x');
    here.hears('x', CLOCK);
    here.hears('x', CLOCK / 2);
    here.passes(SECOND);
    expect(here.machine.clock.off).toBe(false);
  });
});
