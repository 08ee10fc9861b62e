import fc from 'fast-check';
import { ConfigError, parseConfig, type Config } from '../../src/config/config';
import { LOG_LEVELS, VARIABLES } from '../../src/config/variables';
import { runs } from '../support/size';

type IsReadable = (path: string) => boolean;
const noFile: IsReadable = () => false;
const anyFile: IsReadable = () => true;

function problemsOf(env: Record<string, string | undefined>, isReadable = noFile): string[] {
  try {
    parseConfig(env, isReadable);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

const SEED = `SU${'A'.repeat(56)}`;

describe('the configuration', () => {
  it('has the defaults of the contract, where unset and empty are the same', () => {
    const expected: Config = {
      http: {
        host: '0.0.0.0',
        port: 8080,
        maxWatchers: 1_000,
        keepAliveTimeoutMs: 3_900_000,
        tls: undefined,
      },
      subjectPrefix: 'metadata-center',
      nats: undefined,
      history: { mode: 'auto', storage: 'memory', replicas: 1, maxBytes: 268_435_456 },
      peers: {
        dnsName: undefined,
        dnsLookupIntervalMs: 5_000,
        port: 8080,
        requestTimeoutMs: 1_000,
        ownAddress: undefined,
        tls: undefined,
      },
      readyTimeoutMs: 10_000,
      load: {
        expireAfterMs: 600_000,
        gcIntervalMs: 1_000,
        finishedRetentionMs: 60_000,
        maxInFlight: 1_000_000,
        maxEngines: 100_000,
        maxOwners: 10_000,
      },
      cache: { on: true, ttlMs: 600_000, maxEntries: 1_000_000 },
      copyPolicy: 'reject',
      auth: { tokens: [], tokensFile: undefined, peerToken: undefined },
      debug: undefined,
      logLevel: 'info',
      shown: {},
      warnings: [],
    };
    expect(parseConfig({})).toEqual(expected);
    const empty = Object.fromEntries(ALL_VARIABLES.map((name) => [name, '']));
    expect(parseConfig(empty)).toEqual(expected);
  });

  it('reads every variable', () => {
    const { shown, ...config } = parseConfig(
      {
        HTTP_HOST: '127.0.0.2',
        HTTP_PORT: '9090',
        METADATA_CENTER_MAX_WATCHERS: '7',
        HTTP_KEEP_ALIVE_TIMEOUT: '11m',
        HTTP_TLS_CERT_FILE: '/c',
        HTTP_TLS_KEY_FILE: '/k',
        NATS_IGNORE_DISCOVERED_SERVERS: 'TRUE',
        NATS_URL: 'nats://user:p%40ss@nats-0:4223,tls://nats-1,10.0.0.1:4224, nats://tok@[::1]:4225',
        NATS_SUBJECT_PREFIX: 'team-a.metadata_center',
        NATS_USER: 'u',
        NATS_PASS: 'p & p',
        NATS_TLS_CA_FILE: '/ca',
        NATS_TLS_CERT_FILE: '/nc',
        NATS_TLS_KEY_FILE: '/nk',
        NATS_HISTORY: 'required',
        NATS_HISTORY_STORAGE: 'file',
        NATS_HISTORY_REPLICAS: '3',
        NATS_HISTORY_MAX_BYTES: '1048576',
        META_DATA_CENTER_SVC_DISC_HOST: 'metadata-center-peers.default.svc',
        REPLICA_DNS_LOOKUP_INTERVAL: '2s',
        REPLICA_CLIENT_TARGET_PORT: '9091',
        REPLICA_CLIENT_REQUEST_TIMEOUT: '250ms',
        REPLICA_CLIENT_TLS_CA_FILE: '/pca',
        REPLICA_CLIENT_TLS_SERVER_NAME: 'replicas.test',
        POD_IP: '10.1.2.3',
        METADATA_CENTER_READY_TIMEOUT: '3s',
        METADATA_CENTER_LOAD_REQ_EXPIRE: '1h30m',
        METADATA_CENTER_LOAD_GC_INTERVAL: '100ms',
        METADATA_CENTER_FINISHED_RETENTION: '2m',
        METADATA_CENTER_MAX_IN_FLIGHT: '5',
        METADATA_CENTER_MAX_ENGINES: '6',
        METADATA_CENTER_MAX_OWNERS: '7',
        METADATA_CENTER_CACHE: 'off',
        METADATA_CENTER_CACHE_TTL: '5m',
        METADATA_CENTER_CACHE_MAX_ENTRIES: '5000',
        METADATA_CENTER_REPLAY_POLICY: 'ACCEPT',
        METADATA_CENTER_AUTH_TOKENS: 'first, second==',
        METADATA_CENTER_PEER_TOKEN: 'third',
        DEBUG_HOST: '0.0.0.0',
        DEBUG_PORT: '8081',
        LOG_LEVEL: 'Debug',
      },
      anyFile,
    );
    expect(shown).toMatchObject({ HTTP_HOST: '127.0.0.2', LOG_LEVEL: 'Debug' });
    expect(config).toEqual({
      http: {
        host: '127.0.0.2',
        port: 9090,
        maxWatchers: 7,
        keepAliveTimeoutMs: 660_000,
        tls: { certFile: '/c', keyFile: '/k' },
      },
      subjectPrefix: 'team-a.metadata_center',
      nats: {
        ignoreDiscovered: true,
        servers: [
          server({ host: 'nats-0', port: 4223, user: 'user', pass: 'p@ss' }),
          server({ host: 'nats-1', tls: true }),
          server({ host: '10.0.0.1', port: 4224 }),
          server({ host: '::1', port: 4225, token: 'tok' }),
        ],
        credentials: {
          user: 'u',
          pass: 'p & p',
          token: undefined,
          credsFile: undefined,
          nkeySeed: undefined,
          nkeySeedFile: undefined,
        },
        tls: { caFile: '/ca', certFile: '/nc', keyFile: '/nk' },
      },
      history: { mode: 'required', storage: 'file', replicas: 3, maxBytes: 1_048_576 },
      peers: {
        dnsName: 'metadata-center-peers.default.svc',
        dnsLookupIntervalMs: 2_000,
        port: 9091,
        requestTimeoutMs: 250,
        ownAddress: '10.1.2.3',
        tls: { serverName: 'replicas.test', caFile: '/pca' },
      },
      readyTimeoutMs: 3_000,
      load: {
        expireAfterMs: 5_400_000,
        gcIntervalMs: 100,
        finishedRetentionMs: 120_000,
        maxInFlight: 5,
        maxEngines: 6,
        maxOwners: 7,
      },
      cache: { on: false, ttlMs: 300_000, maxEntries: 5_000 },
      copyPolicy: 'accept',
      auth: { tokens: ['first', 'second=='], tokensFile: undefined, peerToken: 'third' },
      debug: { host: '0.0.0.0', port: 8081 },
      logLevel: 'debug',
      warnings: [],
    });
  });

  it('expires as often as an expiry time below its default asks for', () => {
    const { load } = parseConfig({ METADATA_CENTER_LOAD_REQ_EXPIRE: '500ms' });
    expect(load).toMatchObject({ expireAfterMs: 500, gcIntervalMs: 500 });
  });

  it('derives the port of the peers from its own', () => {
    const config = parseConfig({ HTTP_PORT: '9000' });
    expect(config.peers.port).toBe(9000);
  });

  it('expects of peers the certificate of their DNS name where the replicas serve TLS', () => {
    const plain = { META_DATA_CENTER_SVC_DISC_HOST: 'peers.test' };
    const secure = { ...plain, HTTP_TLS_CERT_FILE: '/c', HTTP_TLS_KEY_FILE: '/k' };
    expect(parseConfig(plain).peers.tls).toBeUndefined();
    expect(parseConfig(secure, anyFile).peers.tls).toEqual({ serverName: 'peers.test', caFile: undefined });
  });

  it('names all bad variables at once, and says what each must be', () => {
    expect(
      problemsOf({
        HTTP_PORT: '80a',
        LOG_LEVEL: 'loud',
        METADATA_CENTER_LOAD_REQ_EXPIRE: '10',
        METADATA_CENTER_MAX_ENGINES: '0',
        NATS_HISTORY: 'on',
      }).sort(),
    ).toEqual([
      'HTTP_PORT must be an integer from 0 to 65535, not "80a"',
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, not "loud"',
      'METADATA_CENTER_LOAD_REQ_EXPIRE must be a duration such as 500ms, 5s or 1h30m, from 100ms to 24h, not "10"',
      'METADATA_CENTER_MAX_ENGINES must be an integer from 1 to 1000000, not "0"',
      'NATS_HISTORY must be one of auto, off, required, not "on"',
    ]);
  });

  it.each<[Record<string, string>, string]>([
    [{ HTTP_HOST: 'a b' }, 'HTTP_HOST must be an address or a host name, not "a b"'],
    [{ HTTP_PORT: '65536' }, 'HTTP_PORT must be an integer from 0 to 65535, not "65536"'],
    [{ HTTP_PORT: '-1' }, 'HTTP_PORT must be'],
    [{ HTTP_PORT: '8080 ' }, 'HTTP_PORT must be'],
    [{ HTTP_PORT: '1e3' }, 'HTTP_PORT must be'],
    [{ HTTP_TLS_CERT_FILE: __filename }, 'HTTP_TLS_KEY_FILE is missing'],
    [{ NATS_SUBJECT_PREFIX: 'a..b' }, 'NATS_SUBJECT_PREFIX must be'],
    [{ NATS_SUBJECT_PREFIX: 'a.*' }, 'NATS_SUBJECT_PREFIX must be'],
    [{ NATS_SUBJECT_PREFIX: 'a b' }, 'NATS_SUBJECT_PREFIX must be'],
    [{ NATS_PASS: 'x' }, 'NATS_PASS needs NATS_USER'],
    [{ NATS_TOKEN: 'mounted\n' }, 'NATS_TOKEN must not begin or end with a space'],
    [{ NATS_TOKEN: 'a\u0000b' }, 'NATS_TOKEN must not begin or end with a space'],
    [{ NATS_USER: 'u', NATS_TOKEN: 't' }, 'NATS_TOKEN must not be set together with NATS_USER'],
    [{ NATS_TLS_KEY_FILE: __filename }, 'NATS_TLS_CERT_FILE is missing'],
    [{ NATS_CREDS: '/no/such/file' }, 'NATS_CREDS must be a readable file, not "/no/such/file"'],
    [{ NATS_HISTORY: 'required' }, 'NATS_HISTORY can only be required with NATS_URL'],
    [{ NATS_HISTORY_REPLICAS: '6' }, 'NATS_HISTORY_REPLICAS must be an integer from 1 to 5, not "6"'],
    [{ META_DATA_CENTER_SVC_DISC_HOST: 'http://x' }, 'META_DATA_CENTER_SVC_DISC_HOST must be a host name'],
    [
      { META_DATA_CENTER_SVC_DISC_HOST: 'x', HTTP_PORT: '0' },
      'REPLICA_CLIENT_TARGET_PORT must be set where HTTP_PORT is 0',
    ],
    [{ POD_IP: 'pod-1' }, 'POD_IP must be an IP address, not "pod-1"'],
    [
      { METADATA_CENTER_LOAD_REQ_EXPIRE: '1s', METADATA_CENTER_LOAD_GC_INTERVAL: '2s' },
      'METADATA_CENTER_LOAD_GC_INTERVAL must not be longer than METADATA_CENTER_LOAD_REQ_EXPIRE',
    ],
    [{ METADATA_CENTER_LOAD_REQ_EXPIRE: '25h' }, 'METADATA_CENTER_LOAD_REQ_EXPIRE must be'],
    [{ METADATA_CENTER_AUTH_TOKENS: 'a,,b' }, 'METADATA_CENTER_AUTH_TOKENS token 2 must be'],
    [{ METADATA_CENTER_PEER_TOKEN: 'a b' }, 'METADATA_CENTER_PEER_TOKEN must be 1 to 512'],
    [{ REPLICA_CLIENT_TLS_SERVER_NAME: '10.0.0.1' }, 'REPLICA_CLIENT_TLS_SERVER_NAME must be a host name'],
    [{ DEBUG_PORT: '8080' }, 'DEBUG_PORT must not be the same as HTTP_PORT'],
    [{ LOG_LEVEL: 'x'.repeat(100) }, `not "${'x'.repeat(60)}…"`],
  ])('rejects %j', (env, expected) => {
    const problems = problemsOf(env, (path) => path === __filename);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
  });

  it.each<[string, string]>([
    ['http://h', 'the scheme must be nats:// or tls://'],
    ['nats://h:99999', 'not a URL'],
    ['nats://h:0', 'the port must be 1 to 65535'],
    ['nats://', 'the host is missing'],
    ['a,,b', 'the host is missing'],
    ['nats://h/path', 'nothing may follow the port'],
    ['nats://:hunter2@h', 'the user is missing'],
    ['nats://u:%zz@h', 'not a URL'],
  ])('rejects NATS_URL=%s', (url, expected) => {
    const problems = problemsOf({ NATS_URL: url });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^NATS_URL server \d: /);
    expect(problems[0]).toContain(expected);
  });

  it('never repeats a secret in what it says', () => {
    const secrets = ['NATS_URL', 'NATS_PASS', 'NATS_TOKEN', 'NATS_NKEY_SEED', 'METADATA_CENTER_AUTH_TOKENS'];
    const all = [...secrets, 'NATS_USER', 'METADATA_CENTER_PEER_TOKEN'];
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.constantFrom('', ':', '@', ',', '%', '\n', ' '),
        (name, odd) => {
          const secret = 'hunter2hunter2';
          const values = [
            `nats://u:${secret}${odd}@h:x`,
            `${secret}${odd}`,
            `${odd}${secret}\n`,
            `a,${secret} ,b`,
          ];
          for (const value of values) {
            for (const problem of problemsOf({ [name]: value })) expect(problem).not.toContain(secret);
          }
        },
      ),
    );
  });

  it('accepts an nkey seed as it is generated, and nothing else', () => {
    expect(parseConfig({ NATS_URL: 'h', NATS_NKEY_SEED: SEED }).nats?.credentials.nkeySeed).toBe(SEED);
    expect(problemsOf({ NATS_NKEY_SEED: SEED.slice(1) })).toEqual([
      'NATS_NKEY_SEED must be the seed of a user nkey: SU and 56 more letters and digits',
    ]);
  });

  it('shows what is set, and of a secret only that it is', () => {
    const env = { HTTP_PORT: '81', NATS_URL: 'nats://u:hunter2@h', NATS_TOKEN: '', LOG_LEVEL: 'warn' };
    expect(parseConfig(env).shown).toEqual({ HTTP_PORT: '81', NATS_URL: '(set)', LOG_LEVEL: 'warn' });
  });

  it('warns of variables that are probably misspelt, but not of those that Kubernetes adds', () => {
    const env = {
      METADATA_CENTER_LOAD_EXPIRE: '5s',
      META_DATA_CENTER_HOST: 'x',
      METADATA_CENTER_EMPTY: '',
      METADATA_CENTER_SERVICE_HOST: '10.0.0.1',
      METADATA_CENTER_SERVICE_PORT_HTTP: '80',
      METADATA_CENTER_PORT: 'tcp://10.0.0.1:80',
      METADATA_CENTER_PORT_80_TCP_ADDR: '10.0.0.1',
      METADATA_CENTER_PEERS_SERVICE_HOST: '10.0.0.2',
      PATH: '/bin',
    };
    expect(parseConfig(env).warnings).toEqual([
      'METADATA_CENTER_LOAD_EXPIRE is not a variable of this service',
      'META_DATA_CENTER_HOST is not a variable of this service',
    ]);
  });

  it('either parses or names a variable that was set, whatever the values', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '5s',
        '100ms',
        '80',
        '0',
        'auto',
        'info',
        'host',
        '10.0.0.1',
        'nats://h:1',
        ...LOG_LEVELS,
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...ALL_VARIABLES), value), fc.boolean(), (env, readable) => {
        let named: string[];
        try {
          parseConfig(env, () => readable);
          return true;
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          named = error.problems.map(({ variable }) => variable);
        }
        const pairs = ['HTTP_TLS_CERT_FILE', 'HTTP_TLS_KEY_FILE', 'NATS_TLS_CERT_FILE', 'NATS_TLS_KEY_FILE'];
        const related = [...pairs, 'REPLICA_CLIENT_TARGET_PORT', 'METADATA_CENTER_LOAD_GC_INTERVAL'];
        return named.length > 0 && named.every((name) => name in env || related.includes(name));
      }),
      { numRuns: runs(2_000) },
    );
  });
});

function server(given: object): object {
  const { host } = given as { host: string };
  const none = { user: undefined, pass: undefined, token: undefined };
  return { port: 4222, tls: false, certificateName: host, ...none, ...given };
}

const ALL_VARIABLES = Object.keys(VARIABLES);
