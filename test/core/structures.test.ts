/* eslint-disable jest/no-conditional-expect -- what a random step must show depends on the step */
import fc from 'fast-check';
import { equal, same } from '../support/same';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { DeletionTimes } from '../../src/core/deletion-times';
import { EngineTable } from '../../src/core/engine-table';
import { Fingerprint } from '../../src/core/fingerprint';
import { HashedSlots, NO_SLOT } from '../../src/core/hashed-slots';
import { SecondLists } from '../../src/core/second-lists';
import { DELETE_ITEM, StateDigest } from '../../src/core/state-digest';
import { runs } from '../support/size';

const SECOND = 1_000_000;
const FINGERPRINTING = newFingerprinting();

describe('HashedSlots', () => {
  // Few places, so that probing, wrapping and shifting back are the rule; and words that differ in one only.
  const place = fc.oneof(
    fc.constantFrom(0, 1, 15, 16, -1, -2, 0x0e, 0x1f, 1 << 24, 1 << 31),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  );
  const word = fc.constantFrom(0, 0, 1, -1);
  const key = fc.tuple(word, word, word, word, place);
  type Key = [number, number, number, number, number];
  const fingerprint = new Fingerprint(FINGERPRINTING);
  const load = (key: Key): Fingerprint => {
    fingerprint.load(...key);
    return fingerprint;
  };
  const wordsOf = ({ w0, w1, w2, w3, place }: Fingerprint): Key => [w0, w1, w2, w3, place];

  it('is a Map from fingerprints to numbers (I19) that stay theirs while they are held', () => {
    const step = fc.record({ insert: fc.boolean(), key, pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const slots = new HashedSlots();
        const model = new Map<string, { key: Key; slot: number }>();
        for (const { insert, key, pick } of steps) {
          if (insert || model.size === 0) {
            if (model.has(key.join())) continue;
            const slot = slots.insert(load(key));
            same(
              [...model.values()].some((held) => held.slot === slot),
              false,
            );
            model.set(key.join(), { key, slot });
          } else {
            const [name, held] = [...model][pick % model.size]!;
            slots.remove(held.slot);
            model.delete(name);
            same(slots.find(load(held.key)), NO_SLOT);
          }
          expect(slots.size).toBe(model.size);
        }
        for (const { key, slot } of model.values()) {
          same(slots.find(load(key)), slot);
          equal(wordsOf(slots.read(slot, fingerprint)), key);
          same(slot < slots.slotEnd, true);
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it('finds each of 50,000 fingerprints again, grown over several chunks, and takes freed slots first', () => {
    const slots = new HashedSlots();
    const numbered = (i: number): Fingerprint => fingerprint.set(i, i, i, i);
    for (let i = 0; i < 50_000; i++) slots.insert(numbered(i));
    for (let i = 0; i < 50_000; i += 2) slots.remove(slots.find(numbered(i)));
    for (let i = 0; i < 50_000; i++) same(slots.find(numbered(i)) === NO_SLOT, i % 2 === 0);
    for (let i = 0; i < 50_000; i += 2) slots.insert(numbered(i));
    expect([slots.slotEnd, slots.size]).toEqual([50_000, 50_000]);
  });
});

describe('SecondLists', () => {
  it('is a Map from seconds to sets of slots, and knows the oldest second', () => {
    const second = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 100_000 }));
    const step = fc.record({ slot: fc.nat({ max: 12 }), second, look: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const lists = new SecondLists();
        for (let slot = 0; slot <= 12; slot++) {
          lists.link(slot, 0);
          lists.unlink(slot, 0);
        }
        const model = new Map<number, number>();
        for (const { slot, second, look } of steps) {
          const held = model.get(slot);
          if (held === undefined) {
            lists.link(slot, second);
            model.set(slot, second);
          } else {
            lists.unlink(slot, held);
            model.delete(slot);
          }
          if (look) expect(lists.oldestSecond()).toBe(Math.min(Infinity, ...model.values()));
        }
        for (const second of new Set(steps.map((step) => step.second))) {
          const listed = lists.slotsOf(second, Infinity)!;
          const expected = [...model].filter(([, held]) => held === second).map(([slot]) => slot);
          expect(listed.sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
        }
        expect(lists.oldestSecond()).toBe(Math.min(Infinity, ...model.values()));
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('DeletionTimes', () => {
  const KEEP = 10 * SECOND;

  it('is a Map of the latest times that forgets each exactly at its end (I3)', () => {
    const step = fc.record({
      kind: fc.constantFrom('raise', 'raise', 'row', 'remove', 'expire'),
      id: fc.nat({ max: 5 }),
      number: fc.nat({ max: 3 }),
      agoUs: fc.oneof(fc.nat({ max: KEEP - 1 }), fc.constantFrom(0, KEEP - 1)),
      passUs: fc.oneof(fc.nat({ max: 3 * SECOND }), fc.constantFrom(0, SECOND, KEEP)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const digest = new StateDigest();
        const times = new DeletionTimes(KEEP, DELETE_ITEM, digest, FINGERPRINTING);
        const fingerprint = new Fingerprint(FINGERPRINTING);
        const keyOf = (id: number): Fingerprint => fingerprint.set(id, 0, 0, -id);
        const model = new Map<number, { timeUs: number; rows: Set<number> }>();
        let now = 100 * SECOND;
        for (const { kind, id, number, agoUs, passUs } of steps) {
          now += passUs;
          for (const [key, held] of model) if (held.timeUs + KEEP <= now) model.delete(key);
          const held = model.get(id);
          if (kind === 'raise') {
            const timeUs = now - agoUs;
            const slot = times.raise(keyOf(id), timeUs, now);
            model.set(id, {
              timeUs: Math.max(timeUs, held?.timeUs ?? 0),
              rows: held?.rows ?? new Set<number>(),
            });
            expect(times.timeOf(slot)).toBe(model.get(id)!.timeUs);
          } else if (kind === 'row' && held) {
            times.addRow(times.find(keyOf(id), now), number);
            held.rows.add(number);
          } else if (kind === 'remove' && held) {
            times.remove(times.find(keyOf(id), now));
            model.delete(id);
          } else if (kind === 'expire') {
            times.expire(now, number + 1);
          }
          for (let key = 0; key <= 5; key++) {
            const slot = times.find(keyOf(key), now);
            const expected = model.get(key);
            expect(slot === NO_SLOT).toBe(expected === undefined);
            if (!expected) continue;
            expect(times.timeOf(slot)).toBe(expected.timeUs);
            expect([...times.rowsOf(slot)].sort()).toEqual([...expected.rows].sort());
            expect(times.isWaiting(slot)).toBe(expected.rows.size === 0);
          }
        }
        expect(times.expire(now + SECOND, Infinity)).toBe(true);
        const left = [...model.values()].filter((held) => held.timeUs + KEEP > now + SECOND);
        expect(times.size).toBeGreaterThanOrEqual(left.length);
        expect(times.size).toBeLessThanOrEqual(model.size);
        expect(digest.since(0).reduce((sum, [, count]) => sum + count, 0)).toBe(times.size);
        times.expire(now + KEEP + SECOND, Infinity);
        expect([times.size, times.waiting, digest.since(0).length]).toEqual([0, 0, 0]);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('EngineTable', () => {
  const [E, R] = [10 * SECOND, 3 * SECOND];

  it('lists each row while its last event is younger than E or it has a live add, and then lets go of it (I7)', () => {
    const step = fc.record({
      kind: fc.constantFrom('touch', 'touch', 'expire', 'add', 'drop'),
      row: fc.nat({ max: 2 }),
      agoUs: fc.oneof(fc.nat({ max: E - 1 }), fc.integer({ min: E - 2 * SECOND, max: E - 1 })),
      passUs: fc.oneof(fc.nat({ max: 4 * SECOND }), fc.constantFrom(0, E, E + R)),
      limit: fc.constantFrom(1, Infinity, Infinity),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const table = new EngineTable(E, R, FINGERPRINTING);
        const model = [0, 1, 2].map(() => ({ updatedUs: 0, live: [] as number[] }));
        let now = 100 * SECOND;
        for (const { kind, row: number, agoUs, passUs, limit } of steps) {
          now += passUs;
          const ip = `10.0.0.${number}`;
          const held = model[number]!;
          if (kind === 'expire') {
            for (const { live } of model) live.splice(0, live.length, ...live.filter((t) => t + E > now));
            for (const engine of table.all()) engine.liveAdds = model[engine.address % 256]!.live.length;
            table.expire(now, limit);
            if (limit !== Infinity) continue;
            const listed = table.model('m')?.rows.map((engine) => engine.ip) ?? [];
            const expected = [0, 1, 2].filter((i) => model[i]!.updatedUs + E > now).map((i) => `10.0.0.${i}`);
            expect(listed).toEqual(expected);
            continue;
          }
          const timeUs = now - agoUs;
          const engine = table.find('m', ip) ?? table.create('m', ip, timeUs);
          table.touch(engine, timeUs, now);
          held.updatedUs = Math.max(held.updatedUs, timeUs);
          if (kind === 'add') held.live.push(timeUs);
          if (kind === 'drop') held.live.pop();
          engine.liveAdds = held.live.length;
          expect(engine.updatedUs).toBe(held.updatedUs);
          expect(engine.listed).toBe(true);
          expect(table.byNumberOf(engine.number)).toBe(engine);
        }
        for (const engine of table.all()) engine.liveAdds = 0;
        // A finished id may name a row for R + E after the row's last event: not let go of before.
        const last = Math.max(...model.map(({ updatedUs }) => updatedUs));
        if (last > 0 && last + E + R >= now) {
          table.expire(last + E + R, Infinity);
          expect(table.size).toBeGreaterThanOrEqual(1);
        }
        table.expire(now + 3 * (E + R), Infinity);
        expect([table.size, [...table.clusters].length]).toEqual([0, 0]);
      }),
      { numRuns: runs(2000) },
    );
  });
});
