/**
 * An account on the bus gone wild: publishes forged events that are well formed, at a steady rate. A process of its own; says
 * as JSON on stdout how many it has published.
 */
import { connect, Events } from 'nats';

export const FORGED_CLUSTER = 'forged';
/** Answers are as long as a cluster has engines; these are not what is measured. */
const ENGINES = 16;
const TICK_MS = 5;
/** Published at once: the rest of what is due waits for the next tick. */
const MOST_AT_ONCE = 1_000;

export interface Forgery {
  readonly what: 'gaps' | 'origins' | 'flood' | 'mixed';
  readonly count: number;
  readonly perSecond: number;
  /** Of what comes in rounds: so many at once. */
  readonly atOnce?: number;
}

interface Dot {
  readonly origin: string;
  readonly seq: number;
}

const GAPPED_ORIGINS = 300;

/** Every second seq of each origin. */
function gap(n: number): Dot {
  return { origin: `gaps-${n % GAPPED_ORIGINS}`, seq: 2 * (Math.floor(n / GAPPED_ORIGINS) + 1) };
}

/** A new origin each, two events of which are missing. */
function newOrigin(n: number): Dot {
  return { origin: `new-${n}`, seq: 3 };
}

const deletion = (n: number, { origin, seq }: Dot): [string, object] => [
  'metadata-center.load.delete',
  { v: 1, type: 'delete', origin, seq, time_us: Date.now() * 1000, request_id: `forged-${n}` },
];

function add(n: number): [string, object] {
  const timeUs = Date.now() * 1000;
  return [
    'metadata-center.load.add',
    {
      ...{ v: 1, type: 'add', origin: 'flooding', seq: n + 1, time_us: timeUs, request_id: `flood-${n}` },
      ...{ cluster: FORGED_CLUSTER, ip: `10.9.0.${n % ENGINES}`, prompt_length: 1, timestamp: timeUs * 1000 },
    },
  ];
}

const MAKE: Readonly<Record<Forgery['what'], (n: number) => [string, object]>> = {
  gaps: (n) => deletion(n, gap(n)),
  origins: (n) => deletion(n, newOrigin(n)),
  flood: add,
  mixed: (n) => [() => deletion(n, gap(n)), () => deletion(n, newOrigin(n)), () => add(n)][n % 3]!(),
};

async function main({ what, count, perSecond, atOnce = 1 }: Forgery, server: string): Promise<void> {
  const connection = await connect({ servers: server, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  let connected = true;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) connected = false;
      if (type === Events.Reconnect) connected = true;
    }
  })();
  const started = performance.now();
  let made = 0;
  let published = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) * perSecond) / 1000 / atOnce) * atOnce;
      const until = Math.min(due, count, made + Math.max(MOST_AT_ONCE, atOnce));
      for (; made < until; made++) {
        // What a client keeps for a server that is gone would all come at once.
        if (!connected) continue;
        const [subject, event] = MAKE[what](made);
        connection.publish(subject, JSON.stringify(event));
        published++;
      }
      if (made < count) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  await connection.drain();
  process.stdout.write(JSON.stringify({ published, tookMs: performance.now() - started }));
}

if (require.main === module) void main(JSON.parse(process.argv[2]!) as Forgery, process.argv[3]!);
