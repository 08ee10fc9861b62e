import { newFingerprinting } from '../../src/composition/fingerprinting';
import { LoadStats } from '../../src/core/load-stats';
import { RecentSums } from '../../src/watch/recent-sums';

const SECOND_US = 1_000_000;

function view(): LoadStats {
  return new LoadStats({
    expireAfterUs: 60 * SECOND_US,
    finishedRetentionUs: 10 * SECOND_US,
    inFlightCeiling: 10_000,
    engineCeiling: 10_000,
    finishedCeiling: 10_000,
    waitingCeiling: 10_000,
    ownerCeiling: 1_000,
    fingerprinting: newFingerprinting(),
  });
}

function add(stats: LoadStats, seq: number, cluster: string, promptLength: number): void {
  const event = {
    origin: 'o',
    seq,
    timeUs: seq,
    requestId: `r${seq}`,
    cluster,
    ip: '10.0.0.1',
    promptLength,
  };
  stats.apply({ type: 'add', ...event, timestampNs: undefined }, seq);
}

describe('the sums of the last five minutes', () => {
  it('are those that the clusters had when they were sampled, the newest last', () => {
    const stats = view();
    let nowMs = 0;
    const recent = new RecentSums(stats.engines, () => nowMs);
    add(stats, 1, 'a', 10);
    recent.sample();
    add(stats, 2, 'a', 5);
    add(stats, 3, 'b', 7);
    nowMs = 5_000;
    recent.sample();
    nowMs = 6_200;
    expect(recent.toJson()).toEqual({
      sample_ms: 5_000,
      age_ms: 1_200,
      clusters: [
        { cluster: 'a', queued_req_num: [1, 2], prompt_length: [10, 15] },
        { cluster: 'b', queued_req_num: [1], prompt_length: [7] },
      ],
    });
  });

  it('are kept for five minutes, of clusters that still had rows then, and of 200 at the most (I7)', () => {
    const stats = view();
    const recent = new RecentSums(stats.engines, () => 0);
    for (let i = 1; i <= 300; i++) add(stats, i, `c${i}`, 1);
    for (let i = 0; i < 100; i++) recent.sample();
    expect(recent.toJson().clusters).toHaveLength(200);
    expect(recent.toJson().clusters[0]!.queued_req_num).toHaveLength(60);
    while (!stats.expire(120 * SECOND_US, 10_000));
    recent.sample();
    expect(recent.toJson().clusters[0]!.queued_req_num.at(-1)).toBeNull();
    for (let i = 0; i < 60; i++) recent.sample();
    expect(recent.toJson().clusters).toEqual([]);
  });
});
