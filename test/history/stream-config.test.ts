import type { StreamConfig, StreamInfo, StreamState } from '../../src/history/stream-config';
import {
  adjustmentOf,
  reachesBack,
  shortfall,
  streamName,
  unusable,
  wantedConfig,
  withoutQuorum,
} from '../../src/history/stream-config';

const SETTINGS = {
  subjectPrefix: 'metadata-center',
  storage: 'memory',
  replicas: 1,
  maxBytes: 1000,
  maxAgeMs: 660_000,
} as const;
const WANTED = wantedConfig(SETTINGS);
const NOTHING = /^$/;
const STATE: StreamState = {
  messages: 2,
  bytes: 100,
  first_seq: 1,
  first_ts: '2026-11-21T22:00:00Z',
  last_seq: 2,
  last_ts: '2026-11-21T22:00:01Z',
};

/** What a server answers: the configuration that it was given, and more. */
function onServer(config: StreamConfig, changes: Partial<StreamConfig> = {}): StreamConfig {
  return { ...config, max_msgs: -1, ...changes };
}

describe('A stream', () => {
  it('is named from the prefix, without dots, and no two prefixes make one name', () => {
    expect([streamName('metadata-center'), streamName('a.b_c'), streamName('a_b_c')]).toEqual([
      'metadata-center-load',
      'a+b_c-load',
      'a_b_c-load',
    ]);
  });

  it('keeps events for as long as they can matter and drops the oldest', () => {
    expect(WANTED).toMatchObject({
      name: 'metadata-center-load',
      subjects: ['metadata-center.load.*'],
      max_age: 660_000_000_000,
      discard: 'old',
      retention: 'limits',
    });
  });

  it('that is as wanted is left alone', () => {
    expect(adjustmentOf(onServer(WANTED), WANTED)).toEqual({ update: undefined, respected: [] });
  });

  it('that a replica set up otherwise follows the environment, except for the storage', () => {
    const before = wantedConfig({ ...SETTINGS, maxBytes: 500, storage: 'file' });
    const { update, respected } = adjustmentOf(onServer(before), WANTED);
    expect(update).toMatchObject({ max_bytes: 1000, storage: 'file', max_msgs: -1 });
    expect(respected).toEqual(['storage file instead of memory']);
    // And the next replica finds nothing left to do.
    expect(adjustmentOf(onServer(update!), WANTED)).toEqual({ update: undefined, respected });
  });

  it.each<[string, Partial<StreamConfig>, string[]]>([
    ['changed afterwards', { max_bytes: 5000 }, ['max_bytes 5000 instead of 1000']],
    ['made', { description: 'mine', num_replicas: 3 }, ['num_replicas 3 instead of 1']],
    ['made just so', { description: 'mine' }, []],
  ])('that an operator %s is respected', (_what, changes, respected) => {
    const newer = wantedConfig({ ...SETTINGS, maxAgeMs: 660_000 });
    expect(adjustmentOf(onServer(WANTED, changes), newer)).toEqual({ update: undefined, respected });
  });

  it.each<[string, Partial<StreamConfig>, RegExp]>([
    ['captures the subjects', {}, NOTHING],
    ['captures more', { subjects: ['x', 'metadata-center.>'] }, NOTHING],
    ['captures a part', { subjects: ['metadata-center.load.add'] }, /does not capture/],
    ['drops what was consumed', { retention: 'workqueue' }, /does not keep/],
  ])('that %s is usable or not', (_what, changes, problem) => {
    const found = unusable({ config: onServer(WANTED, changes) }, 'metadata-center');
    expect(found ?? '').toMatch(problem);
  });

  it.each<[string, Partial<StreamConfig>, Partial<StreamState>, RegExp]>([
    ['has room', {}, {}, NOTHING],
    ['is without limits', { max_bytes: -1, max_age: 0 }, {}, NOTHING],
    ['is full', {}, { bytes: 970 }, /is full: it keeps events from 2026-11-21T22:00:00Z on only/],
    ['is full of messages', { max_msgs: 2 }, {}, /is full/],
    ['is full and takes no more', { discard: 'new' }, { bytes: 970 }, /takes no new events/],
    ['drops events early', { max_age: 60_000_000_000 }, {}, /for 60 s, not 660 s/],
  ])('that %s falls short or not', (_what, changes, state, problem) => {
    const found = shortfall({ config: onServer(WANTED, changes), state: { ...STATE, ...state } }, 660_000);
    expect(found ?? '').toMatch(problem);
  });

  it.each<[string, StreamInfo['cluster'], RegExp]>([
    ['is at one server', undefined, NOTHING],
    ['has all', { leader: 'a', replicas: [{ offline: false }, {}] }, NOTHING],
    ['has two of three', { leader: 'a', replicas: [{ offline: true }, {}] }, NOTHING],
    ['has one of three', { leader: 'a', replicas: [{ offline: true }, { offline: true }] }, /1 of 3 servers/],
    ['has no leader', { replicas: [{}, {}] }, /none leads/],
    ['has no leader, of one copy', { leader: '', replicas: null }, /none leads/],
  ])('that %s takes events or not', (_what, cluster, problem) => {
    const config = { ...WANTED, num_replicas: cluster?.replicas ? 3 : 1 };
    expect(withoutQuorum({ config, ...(cluster && { cluster }) }) ?? '').toMatch(problem);
  });

  it('reaches back when it is old enough and has dropped its first message', () => {
    const created = '2026-11-21T22:00:00Z';
    const reaches = (first_seq: number, ageMs: number): boolean =>
      reachesBack(
        { created, config: WANTED, state: { ...STATE, first_seq } },
        660_000,
        Date.parse(created) + ageMs,
      );
    expect([reaches(0, 660_000), reaches(1, 660_000), reaches(2, 660_000)]).toEqual([false, false, true]);
    // It dropped messages for want of room, and was given more since.
    expect(reaches(2, 659_999)).toBe(false);
  });
});
