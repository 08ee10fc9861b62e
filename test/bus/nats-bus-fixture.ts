/** NATS buses and links for tests, with the options that do not matter to them. */
import type { OnBusTrouble } from '../../src/bus/bus';
import { GatherPause } from '../../src/bus/gather-pause';
import { NatsBus, NATS_BUS_DEFAULTS, type NatsBusOptions } from '../../src/bus/nats-bus';
import type { NatsConnectionOptions, NatsCredentials, NatsTlsFiles } from '../../src/bus/nats-connection';
import { type Lookup, SystemLookup } from '../../src/dns/system-lookup';
import { parseNatsServers } from '../../src/bus/nats-servers';

export const NO_CREDENTIALS: NatsCredentials = {
  user: undefined,
  pass: undefined,
  token: undefined,
  credsFile: undefined,
  nkeySeed: undefined,
  nkeySeedFile: undefined,
};

export const NO_TLS: NatsTlsFiles = { caFile: undefined, certFile: undefined, keyFile: undefined };

const names = new SystemLookup({ withinMs: 1_000, most: 8 });
export const lookUp: Lookup = (host) => names.addresses(host);

const CLIENT = { clientName: 'test', credentials: NO_CREDENTIALS, tls: NO_TLS, lookUp };

/** For a link to JetStream. */
export const LINK: NatsConnectionOptions = {
  ...CLIENT,
  timeoutMs: 1_000,
  pingIntervalMs: 1_000,
  maxPingOut: 2,
};

const NEVER_GATHERS = new GatherPause(
  0,
  () => 0,
  () => 0,
);

export function natsBus(
  urls: string,
  options: Partial<NatsBusOptions> = {},
  onTrouble: OnBusTrouble = () => undefined,
  gather = NEVER_GATHERS,
): NatsBus {
  return new NatsBus(
    {
      ...NATS_BUS_DEFAULTS,
      ...CLIENT,
      servers: parseNatsServers(urls),
      ignoreDiscovered: false,
      ...options,
    },
    gather,
    Math.random,
    onTrouble,
  );
}
