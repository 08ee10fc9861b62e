/**
 * Looks into a view for tests: its whole state as plain data, and a recount of everything that it keeps in step by
 * differences (sums, counts, digests) from that state.
 */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import type { Add } from '../../src/core/in-flight';
import type { LoadStats } from '../../src/core/load-stats';
import type { DeletionTimes } from '../../src/core/deletion-times';
import { Fingerprint } from '../../src/core/fingerprint';
import { recordOf } from '../../src/core/owners';
import {
  ADD_ITEM,
  DELETE_ITEM,
  DigestedName,
  GONE_ITEM,
  LEASE_ITEM,
  PROMPT_DELETE_ITEM,
  StateDigest,
} from '../../src/core/state-digest';
import { equal, same } from '../support/same';
import type { NaiveRow } from './naive-view';
import { compareText } from './naive-view';

export interface ListedRow {
  readonly cluster: string;
  readonly ip: string;
  readonly queued: number;
  readonly prompt: number;
  readonly updatedUs: number;
}

export function listedRows(view: LoadStats): ListedRow[] {
  return [...view.engines.clusters]
    .flatMap((model) =>
      model.rows.map((row) => ({
        cluster: model.cluster,
        ip: row.ip,
        queued: row.queuedRequests,
        prompt: row.promptLength,
        updatedUs: row.updatedUs,
      })),
    )
    .sort((a, b) => compareText(a.cluster, b.cluster) || compareText(a.ip, b.ip));
}

/** The rows equal the recount; where `updated_time` is uncertain, they lie within its bounds. */
export function expectRows(rows: readonly ListedRow[], recount: readonly NaiveRow[], expiryUs: number): void {
  const found = new Map(rows.map((row) => [`${row.cluster} ${row.ip}`, row]));
  const expected: ListedRow[] = [];
  for (const { cluster, ip, queued, prompt, updatedLowUs, updatedHighUs } of recount) {
    const row = found.get(`${cluster} ${ip}`);
    if (!row && updatedLowUs <= expiryUs) continue;
    const updatedUs = Math.min(Math.max(row?.updatedUs ?? 0, updatedLowUs), updatedHighUs);
    expected.push({ cluster, ip, queued, prompt, updatedUs });
  }
  equal(rows, expected);
}

const FINGERPRINTING = newFingerprinting();
type Words = readonly [number, number, number, number];

interface HeldAdd {
  readonly words: Words;
  readonly add: Add;
  readonly first: boolean;
}

export function heldAdds(view: LoadStats): HeldAdd[] {
  const held: HeldAdd[] = [];
  const { inFlight } = view;
  const id = new Fingerprint(view.options.fingerprinting);
  for (let slot = 0; slot < inFlight.slotEnd; slot++) {
    const first = inFlight.firstOf(slot);
    for (let add = first; add; add = add.next) {
      held.push({ words: wordsOf(inFlight.idOf(slot, id)), add, first: add === first });
    }
  }
  return held;
}

export interface HeldDeletion {
  readonly words: Words;
  readonly timeUs: number;
  readonly waiting: boolean;
  readonly rows: readonly number[];
}

function wordsOf({ w0, w1, w2, w3 }: Fingerprint): Words {
  return [w0, w1, w2, w3];
}

export function heldDeletions(of: DeletionTimes): HeldDeletion[] {
  const id = new Fingerprint(FINGERPRINTING);
  const held: HeldDeletion[] = [];
  for (let slot = 0; slot < of.slotEnd; slot++) {
    if (!of.isUsed(slot)) continue;
    const words = wordsOf(of.idOf(slot, id));
    held.push({ words, timeUs: of.timeOf(slot), waiting: of.isWaiting(slot), rows: of.rowsOf(slot) });
  }
  return held;
}

/** Everything that the view holds, as comparable plain data. */
export function stateOf(view: LoadStats): unknown {
  return {
    adds: heldAdds(view).map(({ words, add, first }) => {
      const { requestId, timeUs, promptLength, timestampNs, counts, countsPrompt, owner } = add;
      const { cluster, ip } = add.row;
      const place = [...words, first, add.origin.name, cluster, ip];
      return [
        ...place,
        requestId,
        timeUs,
        promptLength,
        String(timestampNs),
        counts,
        countsPrompt,
        owner?.name,
      ];
    }),
    deletes: heldDeletions(view.deletes),
    promptDeletes: heldDeletions(view.promptDeletes),
    rows: [...view.engines.all()].map((row) => {
      const { cluster, ip, queuedRequests, promptLength, updatedUs, listed, liveAdds, number } = row;
      return [cluster, ip, queuedRequests, promptLength, updatedUs, listed, liveAdds, number];
    }),
    sizes: [view.inFlight.size, view.deletes.size, view.promptDeletes.size, view.engines.size],
    expired: view.expiredRequests,
    owners: [...view.owners.all].map((owner) => [recordOf(owner), owner.suspended, [...owner.requests]]),
    digests: [view.addDigest, view.deletionDigest, view.ownedDigest, view.owners.digest].map((digest) =>
      sortedDigest(digest),
    ),
  };
}

/** Recounts what the view keeps in step by differences. */
export function expectConsistent(view: LoadStats): void {
  const adds = heldAdds(view);
  same(view.inFlight.size, adds.filter(({ first }) => first).length);
  for (const of of [view.deletes, view.promptDeletes]) {
    const held = heldDeletions(of);
    same(of.size, held.length);
    same(of.waiting, held.filter(({ waiting }) => waiting).length);
  }
  const rows = [...view.engines.all()];
  same(view.engines.size, rows.length);
  for (const row of rows) {
    const onRow = adds.filter(({ add }) => add.row === row);
    const counted = onRow.filter(({ add }) => add.counts);
    same(row.liveAdds, onRow.length);
    same(row.queuedRequests, counted.length);
    const waiting = counted.filter(({ add }) => add.countsPrompt);
    same(
      row.promptLength,
      waiting.reduce((sum, { add }) => sum + add.promptLength, 0),
    );
    same(row.prefillRequests, waiting.length);
    same(view.engines.find(row.cluster, row.ip), row);
    same(view.engines.byNumberOf(row.number), row);
  }
  for (const { add } of adds) expect(rows).toContain(add.row);
  for (const { add: first } of adds.filter((each) => each.first)) {
    let counting: Add | undefined = first;
    while (counting?.owner && !view.owners.counts(counting.owner, counting.timeUs)) counting = counting.next;
    for (let add: Add | undefined = first; add; add = add.next) same(add.counts, add === counting);
  }
  for (const owner of view.owners.all) {
    const own = adds.filter(({ add }) => add.owner === owner);
    equal(new Set(owner.adds.keys()), new Set(own.map(({ add }) => add)));
    const ids = new Map<string, string>();
    for (const { words, add } of own) if (!ids.has(words.join())) ids.set(words.join(), add.row.cluster);
    const byCluster = new Map<string, number>();
    for (const cluster of ids.values()) byCluster.set(cluster, (byCluster.get(cluster) ?? 0) + 1);
    equal(new Map([...owner.requests].sort()), new Map([...byCluster].sort()));
  }
  for (const { rows: numbers } of heldDeletions(view.deletes)) {
    for (const number of numbers) expect(rows.map((row) => row.number)).toContain(number);
  }
  for (const model of view.engines.clusters) {
    const addresses = model.rows.map((row) => row.address);
    equal(
      addresses,
      [...addresses].sort((a, b) => a - b),
    );
    same(
      model.rows.every((row) => row.listed),
      true,
    );
    expect([...model.engines.values()].filter((row) => row.listed)).toHaveLength(model.rows.length);
  }
  const recounted = recountedDigests(view);
  equal(sortedDigest(view.addDigest), sortedDigest(recounted.adds));
  equal(sortedDigest(view.deletionDigest), sortedDigest(recounted.deletions));
  equal(sortedDigest(view.ownedDigest), sortedDigest(recounted.owned));
  equal(sortedDigest(view.owners.digest), sortedDigest(recounted.owners));
}

/** The digests of the state that the view holds, built anew. */
function recountedDigests(view: LoadStats) {
  const [adds, deletions, owned, owners] = [
    new StateDigest(),
    new StateDigest(),
    new StateDigest(),
    new StateDigest(),
  ];
  const id = new Fingerprint(view.options.fingerprinting);
  for (const { words, add } of heldAdds(view)) {
    const origin = { digested: new DigestedName(id.of(add.origin.name)) };
    const row = { digested: new DigestedName(id.of(`${add.row.ip} ${add.row.cluster}`)) };
    adds.add(id.set(...words), ADD_ITEM, add.timeUs, { origin, row, promptLength: add.promptLength });
    if (!add.owner) continue;
    const held = { digested: new DigestedName(id.of(add.owner.name)) };
    owned.add(id.set(...words), ADD_ITEM, add.timeUs, { origin, row: held, promptLength: 0 });
  }
  for (const { words, timeUs } of heldDeletions(view.deletes)) {
    deletions.add(id.set(...words), DELETE_ITEM, timeUs);
  }
  for (const { words, timeUs } of heldDeletions(view.promptDeletes)) {
    deletions.add(id.set(...words), PROMPT_DELETE_ITEM, timeUs);
  }
  for (const owner of view.owners.all) {
    const { name, leaseUs, ttlMs, goneUs } = recordOf(owner);
    const content = { origin: owner, row: owner, promptLength: ttlMs };
    if (leaseUs > 0) owners.add(id.of(name), LEASE_ITEM, leaseUs, content);
    if (goneUs > 0) owners.add(id.of(name), GONE_ITEM, goneUs);
  }
  return { adds, deletions, owned, owners };
}

export function sortedDigest(digest: StateDigest, fromSecond = 0): unknown[] {
  return digest.since(fromSecond).sort(([a], [b]) => a - b);
}
