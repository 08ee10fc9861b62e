import { Inbox, MAX_WAITING_BYTES } from '../../src/replication/inbox';

const COST_MS = 0.01;
const COST_OF_A_LARGE_ONE_MS = 0.8;

/** An event loop by hand: each event costs a hundredth of a millisecond. */
function inboxes() {
  let nowMs = 1_000;
  const taken: number[] = [];
  const turns: (() => void)[] = [];
  const inbox = new Inbox(
    (payload) => {
      taken.push(payload[0]! + 256 * payload[1]!);
      nowMs += payload.length < 1_000 ? COST_MS : COST_OF_A_LARGE_ONE_MS;
    },
    () => nowMs,
    (turn) => void turns.push(turn),
  );
  const send = (number: number, size = 200): void => {
    const payload = new Uint8Array(size);
    payload[0] = number & 255;
    payload[1] = number >> 8;
    inbox.receive(payload);
    // Only lent.
    payload.fill(0);
  };
  const turn = (): number => {
    const before = nowMs;
    for (const next of turns.splice(0)) next();
    return nowMs - before;
  };
  return { inbox, taken, send, turn };
}

describe('Inbox', () => {
  it('takes each event at once while there are few', () => {
    const { inbox, taken, send, turn } = inboxes();
    for (let i = 0; i < 10; i++) {
      send(i);
      expect(taken).toHaveLength(i + 1);
    }
    turn();
    expect(inbox.waitingBytes).toBe(0);
  });

  it('takes thousands that come at once in slices of some milliseconds, in their order, each once (I7)', () => {
    const { inbox, taken, send, turn } = inboxes();
    for (let i = 0; i < 5_000; i++) send(i);
    expect(taken.length).toBeLessThan(1_000);
    let turns = 0;
    // More come in each turn, until they cease.
    for (let i = 5_000; i < 8_000; i += 100) {
      for (let j = i; j < i + 100; j++) send(j);
      expect(turn()).toBeLessThan(5);
      turns++;
    }
    for (; inbox.waitingBytes > 0; turns++) expect(turn()).toBeLessThan(5);
    expect(turns).toBeLessThan(100);
    expect(taken).toEqual(Array.from({ length: 8_000 }, (_, i) => i));
    send(8_000);
    turn();
    expect(taken.at(-1)).toBe(8_000);
  });

  it('takes large ones, as of the prefix cache, in slices of some milliseconds too (I7)', () => {
    const { taken, send, turn } = inboxes();
    for (let i = 0; i < 500; i++) send(i, 16_000);
    while (taken.length < 500) expect(turn()).toBeLessThan(5);
  });

  it('loses, and counts, what there is no room for; what cannot be an event does not wait (I7)', () => {
    const { inbox, taken, send } = inboxes();
    for (let i = 0; i < 3_000; i++) send(1, 16_000);
    expect(inbox.waitingBytes).toBeLessThanOrEqual(MAX_WAITING_BYTES);
    expect(inbox.lost).toBeGreaterThan(500);
    const before = taken.length;
    send(2, 100_000);
    expect([taken.length, taken.at(-1)]).toEqual([before + 1, 2]);
  });

  it('bounds what is empty too, and takes it in slices (I7)', () => {
    const { inbox, taken, send, turn } = inboxes();
    for (let i = 0; i < 2_000; i++) send(i);
    const sent = 2_500_000;
    for (let i = 0; i < sent; i++) send(0, 0);
    expect(inbox.waitingBytes).toBeLessThanOrEqual(MAX_WAITING_BYTES);
    expect(inbox.lost).toBeGreaterThan(0);
    // The clock is looked at after some 250 of them.
    for (let turns = 0; turns < 100; turns++) expect(turn()).toBeLessThan(7);
    expect(taken.length + inbox.lost).toBeLessThan(sent);
  });

  it('keeps nothing of what it has taken while more keeps coming (I7)', () => {
    const { inbox, send, turn } = inboxes();
    for (let i = 0; i < 2_000; i++) send(i);
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 420; i++) send(i);
      turn();
    }
    expect(inbox.waitingBytes).toBeGreaterThan(0);
    expect(inbox['blocks'].reduce((kept, { bytes }) => kept + bytes.length, 0)).toBeLessThan(2_000_000);
  });
});
