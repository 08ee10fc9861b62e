import pino from 'pino';
import { DnsDiscovery } from '../../src/peers/dns-discovery';
import { SystemLookup } from '../../src/dns/system-lookup';
import { until } from '../support/until';

/** A resolver of the system that answers when it is told to. */
class Resolver {
  readonly asked: string[] = [];
  private readonly answers = new Map<string, (addresses: readonly string[]) => void>();

  readonly resolve = (host: string): Promise<readonly string[]> => {
    this.asked.push(host);
    return new Promise((resolve) => this.answers.set(host, resolve));
  };

  answer(host: string, addresses: readonly string[]): void {
    this.answers.get(host)!(addresses);
  }
}

describe('Names are looked up', () => {
  it('I7: once at a time each, however often a lookup that hangs is asked for', async () => {
    const resolver = new Resolver();
    const names = new SystemLookup({ withinMs: 10, most: 8 }, resolver.resolve);
    for (let i = 0; i < 3; i++) await expect(names.addresses('nats')).rejects.toThrow('lookup of nats hangs');
    expect(resolver.asked).toEqual(['nats']);
    resolver.answer('nats', ['10.0.0.1']);
    // It came when nobody waited for it.
    await new Promise(setImmediate);
    expect(await names.addresses('nats')).toEqual(['10.0.0.1']);
    const again = names.addresses('nats');
    resolver.answer('nats', ['10.0.0.2']);
    expect(await again).toEqual(['10.0.0.2']);
    expect(resolver.asked).toEqual(['nats', 'nats']);
  });

  it('I7: so many at a time; addresses are not looked up', async () => {
    const resolver = new Resolver();
    const names = new SystemLookup({ withinMs: 10, most: 2 }, resolver.resolve);
    const asked = ['a', 'b', 'c', '10.0.0.1'].map((host) => names.addresses(host));
    const outcomes = await Promise.allSettled(asked);
    expect(
      outcomes.map((it) => (it.status === 'fulfilled' ? it.value : (it.reason as Error).message)),
    ).toEqual(['the lookup of a hangs', 'the lookup of b hangs', 'too many lookups hang', ['10.0.0.1']]);
    expect(resolver.asked).toEqual(['a', 'b']);
  });

  it('and a failure is named by its code', async () => {
    const fails = (): Promise<never> => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
    const names = new SystemLookup({ withinMs: 1_000, most: 2 }, fails);
    await expect(names.addresses('a')).rejects.toThrow('ENOTFOUND');
  });
});

test('a lookup of the peers that hangs counts as failed, again and again, and its answer counts when it comes', async () => {
  const resolver = new Resolver();
  const names = new SystemLookup({ withinMs: 10, most: 1 }, resolver.resolve);
  const peers: (readonly string[])[] = [];
  const log: string[] = [];
  const discovery = new DnsDiscovery(
    { host: 'peers', intervalMs: 5, own: ['10.0.0.1'] },
    (it) => peers.push(it),
    pino({ base: null, timestamp: false }, { write: (line) => log.push(line) }),
    (host) => names.addresses(host),
  );
  discovery.start();
  try {
    await until(() => discovery.failures >= 3, { describe: () => `3 failures, ${discovery.failures}` });
    expect(resolver.asked).toEqual(['peers']);
    resolver.answer('peers', ['10.0.0.1', '10.0.0.2']);
    await until(() => peers.length > 0, { describe: 'the answer' });
    expect(peers[0]).toEqual(['10.0.0.2']);
    expect(log.map((line) => JSON.parse(line) as object)).toMatchObject([
      { msg: 'peer lookups fail', reason: 'the lookup of peers hangs' },
      { msg: 'peer lookups work again' },
      { msg: 'peers changed', peers: ['10.0.0.2'] },
    ]);
  } finally {
    discovery.stop();
  }
});
