import { InProcessBus, InProcessHub } from '../../src/bus/in-process-bus';
import { subjectMatches } from '../../src/bus/subject-match';
import { until } from '../support/until';
import { describeBusContract, Member } from './bus-contract';

describeBusContract('the in-process bus', () => {
  const hub = new InProcessHub();
  return Promise.resolve({
    makeBus: (onTrouble) => new InProcessBus(hub, onTrouble),
    close: () => Promise.resolve(),
  });
});

describe('the in-process bus', () => {
  it('does not mix the members of two hubs', async () => {
    const hubs = [new InProcessHub(), new InProcessHub()] as const;
    const join = (hub: InProcessHub): Member =>
      new Member({ makeBus: (onTrouble) => new InProcessBus(hub, onTrouble) }, ['p']);
    const [a, b, c] = [join(hubs[0]), join(hubs[0]), join(hubs[1])];
    for (const member of [a, b, c]) await member.connected();
    a.publish('p', 'x');
    await b.receives('p x');
    expect(c.received).toEqual([]);
  });

  it('loses what a member that cannot keep up has waiting beyond the bound, and says so (I7)', async () => {
    const hub = new InProcessHub();
    const join = (): Member =>
      new Member({ makeBus: (onTrouble) => new InProcessBus(hub, onTrouble) }, ['p']);
    const [a, b] = [join(), join()];
    await a.connected();
    await b.connected();
    for (let i = 0; i < 65_536 + 10; i++) a.publish('p', '1');
    await until(() => b.received.length > 0, { describe: 'delivery' });
    expect(b.received).toHaveLength(65_536);
    expect(b.troubles).toHaveLength(10);
  });
});

describe('subjectMatches', () => {
  it.each<[string, string, boolean]>([
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.b', 'a', false],
    ['a', 'a.b', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['*.b', 'a.b', true],
    ['a.>', 'a', false],
    ['a.>', 'a.b', true],
    ['a.>', 'a.b.c', true],
    ['>', 'a', true],
  ])('%s against %s is %s', (pattern, subject, expected) => {
    expect(subjectMatches(pattern, subject)).toBe(expected);
  });
});
