/** `--check`: tries what the configuration names, once each. Nothing is published, and no port is opened. */
import type { Logger } from 'pino';
import { createEventBus } from '../composition/event-bus';
import type { Config } from '../config/config';
import { peerLookup } from '../peers/dns-discovery';
import { loadWildcard } from '../wire/subjects';

export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

export async function check(config: Config, logger: Logger): Promise<Finding[]> {
  return Promise.all([tryNats(config, logger), tryDns(config.peers.dnsName)]);
}

function tryNats(config: Config, logger: Logger): Promise<Finding> {
  if (!config.nats) return Promise.resolve({ ok: true, text: 'NATS: none is configured' });
  return new Promise((resolve) => {
    const done = (ok: boolean, text: string): void => {
      void bus.stop().then(() => resolve({ ok, text: `NATS: ${text}` }));
    };
    const history = { ...config.history, mode: 'off' } as const;
    const events = { isServing: () => false, onMessage: () => undefined, onReplayed: () => undefined };
    const { bus } = createEventBus(
      { ...config, history },
      'metadata-center check',
      (_kind, detail) => done(false, detail),
      events,
      () => 0,
      logger,
    );
    bus.start({ [loadWildcard(config.subjectPrefix)]: () => undefined }, ({ connected, reason }) => {
      if (connected) done(true, reason);
    });
  });
}

async function tryDns(dnsName: string | undefined): Promise<Finding> {
  if (dnsName === undefined) return { ok: true, text: 'DNS: no peers are looked for' };
  try {
    const addresses = await peerLookup()(dnsName);
    return { ok: addresses.length > 0, text: `DNS: ${dnsName} is ${addresses.join(', ') || 'no address'}` };
  } catch (error) {
    return { ok: false, text: `DNS: ${dnsName}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
