/** What every bus must do, as tests to run against each implementation. */
import type { Bus, BusStatus, OnBusTrouble } from '../../src/bus/bus';
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';

export interface BusFactory {
  /** A new bus, not started; all buses that one factory makes reach each other. */
  makeBus(onTrouble: OnBusTrouble): Bus;
  close(): Promise<void>;
}

/** A started bus with everything that it heard; each message says on which subject it was published. */
export class Member {
  readonly received: string[] = [];
  readonly statuses: BusStatus[] = [];
  readonly troubles: string[] = [];
  readonly bus: Bus;
  onMessage: (message: string) => void = () => undefined;

  constructor(factory: Pick<BusFactory, 'makeBus'>, subjects: readonly string[]) {
    this.bus = factory.makeBus((trouble, detail) => this.troubles.push(`${trouble}: ${detail}`));
    const onMessage = (payload: Uint8Array): void => {
      const message = Buffer.from(payload).toString();
      this.received.push(message);
      this.onMessage(message);
    };
    this.bus.start(Object.fromEntries(subjects.map((subject) => [subject, onMessage])), (status) =>
      this.statuses.push(status),
    );
  }

  publish(subject: string, text: string): boolean {
    return this.bus.publish(subject, Buffer.from(`${subject} ${text}`));
  }

  async connected(connected = true): Promise<void> {
    await until(() => this.statuses.at(-1)?.connected === connected, {
      describe: () => `status connected=${connected}, seen ${JSON.stringify(this.statuses)}`,
    });
  }

  async receives(...messages: string[]): Promise<void> {
    await until(() => messages.every((message) => this.received.includes(message)), {
      describe: () => `${messages.join(', ')} received, got ${this.received.join(', ')}`,
    });
  }
}

export function describeBusContract(name: string, makeFactory: () => Promise<BusFactory>): void {
  describe(`${name}, as every bus,`, () => {
    let factory: BusFactory;
    const atEnd = new CleanUp();
    const cleanUp = new CleanUp();

    const makeBus = (): Bus => {
      const bus = factory.makeBus(() => undefined);
      cleanUp.add(() => bus.stop());
      return bus;
    };

    const join = async (...subjects: string[]): Promise<Member> => {
      const member = new Member(factory, subjects);
      cleanUp.add(() => member.bus.stop());
      await member.connected();
      return member;
    };

    beforeAll(async () => {
      factory = await atEnd.use(makeFactory(), (it) => it.close());
    });
    afterEach(() => cleanUp.run());
    afterAll(() => atEnd.run());

    it('does not deliver or report anything before start has returned', async () => {
      const bus = makeBus();
      let reports = 0;
      bus.start({ 'a.*': () => reports++ }, () => reports++);
      const reportsAtReturn = reports;
      const connectedAtReturn = bus.connected;
      await until(() => bus.connected, { describe: 'connected' });
      await bus.stop();
      expect({ reportsAtReturn, connectedAtReturn, reports }).toEqual({
        reportsAtReturn: 0,
        connectedAtReturn: false,
        reports: 1,
      });
    });

    it('reports the first connection once, and by then receives what others publish', async () => {
      const a = await join('p.load.*');
      const b = await join('p.load.*');
      expect(b.publish('p.load.add', 'x')).toBe(true);
      await a.receives('p.load.add x');
      expect(a.statuses).toEqual([{ connected: true, reason: a.bus.reason }]);
      expect(a.bus.connected).toBe(true);
    });

    it('delivers to every other member and never to the publisher', async () => {
      const [a, b, c] = [await join('p.load.*'), await join('p.load.*'), await join('p.load.*')];
      a.publish('p.load.add', 'from a');
      b.publish('p.load.add', 'from b');
      await a.receives('p.load.add from b');
      await b.receives('p.load.add from a');
      await c.receives('p.load.add from a', 'p.load.add from b');
      expect(a.received).toEqual(['p.load.add from b']);
      expect(b.received).toEqual(['p.load.add from a']);
    });

    it('never runs a receiver inside publish', async () => {
      const a = await join('p.load.*');
      const b = await join('p.load.*');
      a.publish('p.load.add', 'x');
      expect(b.received).toEqual([]);
      await b.receives('p.load.add x');
    });

    it('keeps the order of each publisher', async () => {
      const receiver = await join('p.>');
      const publishers = [await join('q'), await join('q')];
      const count = 2_000;
      for (let i = 0; i < count; i++) {
        for (const [p, publisher] of publishers.entries()) publisher.publish(`p.${i % 3}`, `${p}:${i}`);
      }
      await until(() => receiver.received.length === 2 * count, {
        describe: () => `${2 * count} messages, got ${receiver.received.length}`,
      });
      const texts = receiver.received.map((message) => message.split(' ')[1] ?? '');
      for (const p of ['0', '1']) {
        const numbers = texts.filter((text) => text.startsWith(`${p}:`)).map((text) => Number(text.slice(2)));
        expect(numbers).toEqual(Array.from({ length: count }, (_, i) => i));
      }
    });

    it('delivers by wildcard: one token for *, the rest for >', async () => {
      const [star, tail, exact] = [
        await join('p.load.*'),
        await join('p.>'),
        await join('p.load.add', 'p.x'),
      ];
      const publisher = await join('none');
      const subjects = ['p', 'p.load', 'p.load.add', 'p.load.add.more', 'q.load.add', 'p.x'];
      for (const subject of subjects) publisher.publish(subject, '1');
      publisher.publish('p.load.add', 'end');
      await tail.receives('p.load.add end');
      await star.receives('p.load.add end');
      await exact.receives('p.load.add end');
      const heard = (member: Member): string[] =>
        member.received.filter((message) => message.endsWith(' 1')).map((message) => message.slice(0, -2));
      expect(heard(star)).toEqual(['p.load.add']);
      expect(heard(tail)).toEqual(['p.load', 'p.load.add', 'p.load.add.more', 'p.x']);
      expect(heard(exact)).toEqual(['p.load.add', 'p.x']);
    });

    it('carries any bytes, none included, unchanged', async () => {
      const received: Buffer[] = [];
      const receiver = makeBus();
      receiver.start({ p: (payload) => received.push(Buffer.from(payload)) }, () => undefined);
      await until(() => receiver.connected, { describe: 'connected' });
      const publisher = await join('none');
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const payloads = [Buffer.alloc(0), all, Buffer.from('\r\nMSG p 1 3\r\n'), Buffer.alloc(100_000, 7)];
      for (const payload of payloads) publisher.bus.publish('p', payload);
      await until(() => received.length === payloads.length, { describe: 'all payloads' });
      await receiver.stop();
      expect(received.map((payload) => payload.toString('hex'))).toEqual(
        payloads.map((payload) => payload.toString('hex')),
      );
    });

    it('survives a handler that throws, and says so', async () => {
      const a = await join('p');
      const b = await join('p');
      a.onMessage = (message) => {
        if (message === 'p bad') throw new Error('broken handler');
      };
      b.publish('p', 'bad');
      b.publish('p', 'good');
      await a.receives('p bad', 'p good');
      expect(a.troubles).toEqual(['handler: Error: broken handler']);
    });

    it('stops: what was published before arrives, nothing goes out or in afterwards', async () => {
      const a = await join('p');
      const b = await join('p');
      // Too much for the buffers of a socket.
      for (let i = 0; i < 500; i++) a.publish('p', `${i}`.padEnd(10_000));
      await a.bus.stop();
      expect(a.publish('p', 'late')).toBe(false);
      expect(a.bus.connected).toBe(false);
      await until(() => b.received.length === 500, {
        describe: () => `500 messages, got ${b.received.length}`,
      });
      b.publish('p', 'to the stopped');
      const c = await join('p');
      b.publish('p', 'to the living');
      await c.receives('p to the living');
      expect(a.received).toEqual([]);
      expect(a.statuses.map((status) => status.connected)).toEqual([true]);
      expect(b.received).not.toContain('p late');
    });

    it('calls no handler once stop was called, though messages are on their way', async () => {
      const a = await join('p');
      const b = await join('p');
      for (let i = 0; i < 500; i++) b.publish('p', `${i}`.padEnd(10_000));
      await new Promise((resolve) => setImmediate(resolve));
      b.publish('p', 'at the last moment');
      const stopped = a.bus.stop();
      const receivedAtStop = a.received.length;
      await stopped;
      const c = await join('p');
      b.publish('p', 'end');
      await c.receives('p end');
      expect(a.received).toHaveLength(receivedAtStop);
      expect(a.statuses).toHaveLength(1);
    });

    it('can be stopped before it was started, while it starts, and twice', async () => {
      const never = makeBus();
      await never.stop();
      const early = makeBus();
      let reports = 0;
      early.start({ p: () => reports++ }, () => reports++);
      await early.stop();
      await early.stop();
      expect(reports).toBe(0);
      expect(early.connected).toBe(false);
    });

    it('calls back once what was published has been written, at once where nothing was', async () => {
      const a = await join('p');
      const b = await join('p');
      let calls = 0;
      a.bus.whenWritten(() => calls++);
      expect(calls).toBe(1);
      a.publish('p', 'x');
      const written = new Promise<void>((resolve) => a.bus.whenWritten(resolve));
      await written;
      await b.receives('p x');
      const never = makeBus();
      never.whenWritten(() => calls++);
      expect(calls).toBe(2);
      a.publish('p', 'the last');
      a.bus.whenWritten(() => calls++);
      await a.bus.stop();
      expect(calls).toBe(3);
      await b.receives('p the last');
    });

    it('does not call itself alone beside another member', async () => {
      const a = await join('p');
      await join('p');
      expect(a.bus.alone).toBe(false);
    });

    it('does not publish before it is connected', () => {
      const bus = makeBus();
      expect(bus.publish('p', Buffer.from('x'))).toBe(false);
    });
  });
}
