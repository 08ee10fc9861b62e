import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { Answering } from '../../src/repair/answering';
import { queryValue } from '../../src/http/query-string';
import type { Heartbeat, Identity, Query } from '../../src/repair/protocol';
import {
  ProtocolFault,
  decodeHeartbeat,
  encodeHeartbeat,
  readSelection,
  readStatus,
  snapshotPath,
  statusPath,
} from '../../src/repair/protocol';
import { compareDigests, digestsOf } from '../../src/repair/digests';
import { repairOptions } from '../../src/repair/repair-options';
import { Repair } from '../../src/repair/repair';
import { CONTEXT_LIMITS } from '../../src/replication/limits';
import { viewOptions } from '../support/view-options';

const NOW = 1_700_000_000_000_000;
const CONTEXT = { ...CONTEXT_LIMITS, forgetAfterUs: 1e12 };
const PROD: Identity = { replica: 'self', deployment: 'prod', speaks: 1 };
const queryOf =
  (path: string): Query =>
  (name) =>
    queryValue(path, name);

function answering(
  self: Identity,
  context: CausalContext,
  nowUs = NOW,
  stats = new LoadStats(viewOptions()),
): Answering {
  return new Answering({
    self,
    version: '1',
    stats,
    context,
    bus: { connected: true, reason: '' },
    history: () => ({}),
    ready: () => true,
    missing: () => 0,
    cache: undefined,
    nowUs: () => nowUs,
  });
}

describe('A heartbeat', () => {
  it('names the deployment, the level, and the highest seq of every origin that was active lately, so that the last event of a dead one is missed (I4)', () => {
    const context = new CausalContext(CONTEXT);
    context.observe('dead', 5, NOW - 100_000_000, NOW);
    context.observe('long-dead', 5, NOW - 200_000_000, NOW);
    context.observe('self', 7, NOW, NOW);
    const stats = new LoadStats(viewOptions());
    const repair = new Repair(PROD, stats, context, () => 0.5, repairOptions(stats.options));
    const around = { busConnected: true, peersKnown: true, history: 'none' } as const;
    const commands = repair.step({ kind: 'tick', around }, NOW, 0);
    const [heartbeat] = commands.flatMap((command) =>
      command.kind === 'heartbeat' ? [command.heartbeat] : [],
    );
    expect(decodeHeartbeat(encodeHeartbeat(heartbeat!))).toEqual({
      ...PROD,
      ready: false,
      timeUs: NOW,
      highest: [
        ['self', NOW, 7],
        ['dead', NOW - 100_000_000, 5],
      ],
    });
  });

  it('that is none is seen to be none, and one of a later version passed over (I7, I8)', () => {
    const read = (value: unknown): Heartbeat | string => decodeHeartbeat(Buffer.from(JSON.stringify(value)));
    const highest = [['peer', NOW, 3]];
    const good = { v: 1, deployment: 'prod', speaks: 1, replica: 'peer', time_us: NOW, highest };
    expect(read({ ...good, more: 'fields' })).toMatchObject({ replica: 'peer', ready: false });
    expect(read({ ...good, v: 2 })).toBe('later');
    for (const bad of [
      null,
      { ...good, v: 0 },
      { ...good, replica: 'a"b' },
      { ...good, deployment: 7 },
      { ...good, speaks: 0 },
      { ...good, highest: [['a"b', NOW, 3]] },
      { ...good, highest: [['peer', NOW, -3]] },
      { ...good, pad: 'x'.repeat(20_000) },
    ])
      expect(read(bad)).toBe('invalid');
    const notUtf8 = Buffer.from(JSON.stringify({ ...good, deployment: '?' }));
    notUtf8[notUtf8.indexOf('?')] = 0xff;
    expect(decodeHeartbeat(notUtf8)).toBe('invalid');
  });
});

describe('A request between replicas', () => {
  const context = new CausalContext(CONTEXT);

  it('of another deployment is refused, also for a snapshot (I9)', () => {
    const staging = queryOf(statusPath({ ...PROD, deployment: 'staging' }, undefined));
    const here = answering(PROD, context);
    for (const ask of [() => here.status(staging), () => here.snapshot(staging)]) {
      expect(ask).toThrow(expect.objectContaining({ kind: 'other-deployment' }) as Error);
    }
    expect(here.status(queryOf(statusPath(PROD, undefined)))).toMatchObject({
      deployment: 'prod',
      speaks: 1,
    });
    // A person who looks need not say who he is.
    expect(here.status(queryOf('/'))).toMatchObject({ replica: 'self' });
  });

  it.each([[[]], [[100]], [[110, 102, 100, 101]], [[0, 1, 3, 1_700_000_000, 1_700_000_002]]])(
    'for a snapshot of the seconds %j is read as it was asked (I4)',
    (seconds) => {
      const selection = { adds: seconds, deletions: [7], since: [12, 3] } as const;
      const adds = [...seconds].sort((a, b) => a - b);
      expect(readSelection(queryOf(snapshotPath(PROD, selection)))).toEqual({ ...selection, adds });
      const swapped = { adds: [7], deletions: seconds, since: [0, 0] } as const;
      expect(readSelection(queryOf(snapshotPath(PROD, swapped)))).toEqual({ ...swapped, deletions: adds });
    },
  );

  it('that cannot be read changes nothing (I8)', () => {
    const here = answering(PROD, context);
    for (const bad of [
      ...['speaks=0', 'speaks=x', 'speaks=1e3', 'speaks=0x1', 'speaks=1,2', 'speaks=', 'speaks=1000000'],
      ...['digests_at_us=x', 'digests_at_us=1.5', 'digests_at_us=-1', 'digests_at_us=1,2'],
    ]) {
      expect(() => here.status(queryOf(`/?${bad}`))).toThrow(ProtocolFault);
    }
    for (const bad of [
      'adds=x',
      'adds=5',
      'adds=5,-3',
      'adds=1,0&since=x',
      'adds=0,999999',
      'adds=1,,0',
      'adds=1,0&since=1',
    ]) {
      expect(() => here.snapshot(queryOf(`/?${bad}`))).toThrow(ProtocolFault);
    }
  });
});

describe('A status', () => {
  it.each([
    ['another deployment', { deployment: 'staging' }, 'other-deployment'],
    ['no deployment', { deployment: undefined }, 'invalid'],
    ['no level', { speaks: 'x' }, 'invalid'],
    ['no time', { time_us: -1 }, 'invalid'],
    ['no replica', { replica: 'a"b' }, 'invalid'],
  ])('of %s is not taken in (I9)', (_what, changed, kind) => {
    const status = { ...answering(PROD, new CausalContext(CONTEXT)).status(queryOf('/')), ...changed };
    expect(() => readStatus(status, PROD, CONTEXT)).toThrow(expect.objectContaining({ kind }) as Error);
  });
});

describe('A second level of the language', () => {
  const [OLD, NEW] = [PROD, { ...PROD, replica: 'new', speaks: 2 }];

  /** `x` has made an event of the first level, and one of the second. */
  function contextOf(speaks: number): CausalContext {
    const context = new CausalContext({ ...CONTEXT, speaks });
    context.observe('x', 1, NOW, NOW);
    context.observeLevel('x', 2, 2, NOW, NOW);
    context.observe('x', 3, NOW, NOW);
    return context;
  }

  const statusFor = (of: Identity, asker: Identity) =>
    readStatus(
      JSON.parse(
        JSON.stringify(answering(of, contextOf(of.speaks)).status(queryOf(statusPath(asker, undefined)))),
      ),
      asker,
      CONTEXT,
    );

  it('is neither claimed nor chased by who does not speak it (I9)', () => {
    const old = contextOf(1);
    expect([old.has('x', 2), old.holes().size]).toEqual([false, 0]);
    expect(old.toJSON()).toEqual([['x', NOW, 3, 1, 1, 3, 3]]);
  });

  it('is claimed to who speaks it, and to nobody else (I9)', () => {
    expect(statusFor(NEW, { ...NEW, replica: 'other' }).context.has('x', 2)).toBe(true);
    const toOld = statusFor(NEW, OLD);
    expect(toOld.context.has('x', 2)).toBe(false);
    // Who only heard of it learns that it is not for him.
    const heard = new CausalContext(CONTEXT);
    heard.announceAll(toOld.context, 'self', NOW);
    expect(heard.holes().get('x')?.toJSON()).toEqual([1, 3]);
    heard.learnLevels(toOld.context.levels);
    heard.join(toOld.context, 'self', NOW);
    expect(heard.holes().size).toBe(0);
  });

  it('is still missing at a replica that speaks it and has joined from one that does not (I9)', () => {
    const fromOld = statusFor(OLD, NEW);
    const joined = new CausalContext({ ...CONTEXT, speaks: 2 });
    joined.learnLevels(fromOld.context.levels);
    joined.join(fromOld.context, 'new', NOW);
    joined.learnLevels(fromOld.context.levels);
    expect(joined.holes().get('x')?.toJSON()).toEqual([2, 2]);
    // What it is told by one that speaks it, it does not tell on to others as of the first level.
    const fromNew = statusFor(NEW, { ...NEW, replica: 'other' });
    joined.learnLevels(fromNew.context.levels);
    joined.join(fromNew.context, 'new', NOW);
    expect([joined.has('x', 2), joined.toJSON(1)]).toEqual([true, [['x', NOW, 3, 1, 1, 3, 3]]]);
  });

  it('in a snapshot: unknown records are left out and counted, and what is claimed is claimed if it was written for the reader (I9)', () => {
    const merged = (speaks: number): SnapshotMerge => {
      const merge = new SnapshotMerge(new LoadStats(viewOptions()), CONTEXT, OLD);
      const context = [['x', NOW, 1, 1, 1]];
      const header = {
        snapshot: 2,
        replica: 'new',
        deployment: 'prod',
        ready: true,
        speaks,
        context,
        more: 1,
      };
      for (const line of [header, ['note', 'x', 2, NOW], ['end', 1]]) merge.line(JSON.stringify(line), NOW);
      return merge;
    };
    expect(merged(1)).toMatchObject({ complete: true, skipped: 1, refused: 0, claimable: true });
    expect(merged(2)).toMatchObject({ complete: true, skipped: 1, claimable: false });
  });

  it('shows owners, whose adds are, and their digests to who speaks it, and to nobody else (I9)', () => {
    const stats = new LoadStats(viewOptions());
    const place = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
    const add = {
      type: 'add',
      origin: 'x',
      seq: 1,
      timeUs: NOW,
      requestId: 'r',
      ...place,
      owner: 'gw',
    } as const;
    stats.apply(add, NOW);
    stats.apply({ type: 'owner', origin: 'x.owners', seq: 1, timeUs: NOW, owner: 'gw', ttlMs: 15_000 }, NOW);
    const here = answering(NEW, contextOf(2), NOW, stats);
    const statusTo = (asker: Identity) =>
      readStatus(JSON.parse(JSON.stringify(here.status(queryOf(statusPath(asker, NOW))))), asker, CONTEXT);
    const recordsTo = (asker: Identity) =>
      [...here.snapshot(queryOf(snapshotPath(asker, undefined)))].filter((line) => line.includes('gw'));
    const other = { ...NEW, replica: 'other' };
    const sum: unknown[] = [expect.any(Number), expect.any(Number)];

    expect(statusTo(other).digests).toMatchObject({
      owned: [[NOW / 1e6, 1, ...sum]],
      owners: [[NOW / 1e6, 1, ...sum]],
    });
    expect(recordsTo(other)).toEqual([
      `["owner","gw",${NOW},15000,0,${NOW}]`,
      `["add",0,"r",${NOW},"x",1,null,null,"gw"]`,
    ]);
    expect(Object.keys(statusTo(OLD).digests!)).toEqual(['adds', 'deletions', 'raises']);
    expect(recordsTo(OLD)).toEqual([]);
    expect([...here.snapshot(queryOf(snapshotPath(OLD, undefined)))]).toContain(
      `["add",0,"r",${NOW},"x",1,null]`,
    );
  });

  it('is compared in the lower language of the two (I9)', () => {
    const [whole, without] = [1, 2].map(() => new LoadStats(viewOptions()));
    const place = { cluster: 'm', ip: '10.0.0.1', promptLength: 1, timestampNs: undefined };
    const add = { type: 'add', origin: 'x', seq: 1, timeUs: NOW, requestId: 'r', ...place } as const;
    whole!.apply({ ...add, owner: 'gw' }, NOW);
    whole!.apply({ type: 'owner-gone', origin: 'x.owners', seq: 1, timeUs: NOW, owner: 'gw' }, NOW);
    without!.apply(add, NOW);
    const [ours, theirs] = [digestsOf(whole!, NOW), digestsOf(without!, NOW)];
    const inLowest = compareDigests(whole!, theirs, NOW, 1);
    expect(inLowest.differences.size).toBe(0);
    const { differences, pull } = compareDigests(whole!, theirs, NOW);
    expect([differences.size > 0, pull.adds, pull.deletions]).toEqual([true, [], []]);
    // Its adds are those that the other side can say more of.
    expect(compareDigests(without!, ours, NOW).pull.adds).toEqual([NOW / 1_000_000]);
  });

  it('of another deployment no snapshot is merged (I9)', () => {
    const merge = new SnapshotMerge(new LoadStats(viewOptions()), CONTEXT, OLD);
    const header = { snapshot: 2, replica: 'x', deployment: 'staging', speaks: 1, ready: true, context: [] };
    expect(() => merge.line(JSON.stringify(header), NOW)).toThrow('another deployment');
  });
});
