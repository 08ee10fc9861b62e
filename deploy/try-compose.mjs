/**
 * Starts the compose file on a real Docker engine, shows that it does what docs/operations.md promises, and takes it down.
 * It stands apart from the tests, since it needs an engine, images to pull, and the ports of the compose file.
 *   node deploy/try-compose.mjs                               everything, built and pulled
 *   node deploy/try-compose.mjs --no-build nats prometheus …  from images that are there, only these services
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const up = process.argv.length > 2 ? process.argv.slice(2) : ['--build'];
const compose = (...args) =>
  execFileSync('docker', ['compose', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
/** Building and pulling take their time: what they do is shown, and they are given up at last. */
const start = () =>
  execFileSync('docker', ['compose', 'up', '--detach', ...up], { stdio: 'inherit', timeout: 15 * 60_000 });
const docker = (...args) => execFileSync('docker', args, { encoding: 'utf8' });

/** The ports of the host, in the order of the containers; a container that is down has none. */
const ports = () =>
  [...compose('ps', '--format', '{{.Name}} {{.Ports}}', 'metadata-center').matchAll(/:(\d+)->8080/g)].map(
    ([, port]) => port,
  );
const containers = () => compose('ps', '-q', 'metadata-center').trim().split('\n');

/** An answer within 3 s. (A timer of AbortSignal would not keep the process alive while Docker's proxy says nothing.) */
async function ask(port, path, options = {}) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error('no answer in time')), 3_000);
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...options, signal: abort.signal });
    return { status: response.status, data: (await response.json()).data };
  } finally {
    clearTimeout(timer);
  }
}
const get = async (port, path) => (await ask(port, path)).data;

let reports = 0;
async function add(port) {
  const report = {
    cluster: 'try',
    request_id: `try-${++reports}`,
    ip: `10.0.0.${reports}`,
    prompt_length: 7,
  };
  const { status } = await ask(port, '/v1/load/stats', { method: 'POST', body: JSON.stringify(report) });
  if (status !== 200) throw new Error(`a report at ${port} is answered ${status}`);
}

async function shown(what, withinSeconds, holds) {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  for (;;) {
    if (await holds().catch(() => false)) break;
    if (seconds() > withinSeconds)
      throw new Error(`${what}: not within ${withinSeconds} s\n${compose('ps', '--all')}`);
    await delay(100);
  }
  console.log(`ok: ${what} (${seconds().toFixed(1)} s)`);
}

const everyReplica = async (count, holds) => {
  const all = ports();
  return all.length === count && (await Promise.all(all.map(holds))).every(Boolean);
};
const joined = (count) =>
  everyReplica(count, async (port) => {
    const { ready, bus, peers } = await get(port, '/readyz');
    const others = Object.values(peers);
    return (
      ready && bus.connected && others.length === count - 1 && others.every((state) => state === 'ready')
    );
  });
const seenEverywhere = (count) =>
  everyReplica(count, async (port) => {
    const rows = await get(port, '/v1/load/stats?cluster=try');
    return (
      rows.length === reports && rows.every((row) => row.queued_req_num === 1 && row.prompt_length === 7)
    );
  });
const healthy = (count) =>
  everyReplica(count, () => Promise.resolve(true)).then(
    (running) =>
      running &&
      containers().every(
        (id) => docker('inspect', '-f', '{{.State.Health.Status}}', id).trim() === 'healthy',
      ),
  );
const scraped = async (count) => {
  const { activeTargets } = await get(9090, '/api/v1/targets?state=active');
  return activeTargets.length === count && activeTargets.every(({ health }) => health === 'up');
};
const rulesWork = async () => {
  const { groups } = await get(9090, '/api/v1/rules');
  const rules = groups.flatMap((group) => group.rules);
  return rules.length > 0 && rules.every(({ health }) => health === 'ok');
};

try {
  start();
  await shown('three replicas find each other and nats', 60, () => joined(3));
  await shown('Docker calls them healthy', 60, () => healthy(3));
  await add(ports()[0]);
  await shown('a report at one is seen at all', 5, () => seenEverywhere(3));
  await shown('Prometheus scrapes all three', 60, () => scraped(3));
  await shown('Prometheus evaluates every alert', 60, rulesWork);

  docker('kill', containers()[0]);
  for (const port of ports()) await add(port);
  await shown('the other two go on without the one that is killed', 20, () => seenEverywhere(2));
  compose('up', '--detach', '--no-recreate', ...up);
  await shown('it comes back', 30, () => joined(3));
  await shown('and has what it missed', 10, () => seenEverywhere(3));

  compose('restart', 'metadata-center');
  await shown('all replicas restart at once', 30, () => joined(3));
  await shown('and rebuild their rows from the history', 10, () => seenEverywhere(3));

  compose('kill', 'nats');
  for (const port of ports()) await add(port);
  compose('up', '--detach', '--no-recreate', ...up);
  await shown('replicas find nats again after it is killed', 30, () => joined(3));
  await shown('and have what was reported meanwhile', 30, () => seenEverywhere(3));

  compose('up', '--detach', '--no-recreate', '--scale', 'metadata-center=5', ...up);
  await shown('five find each other', 60, () => joined(5));
  await shown('and show the same', 10, () => seenEverywhere(5));
  await shown('Prometheus scrapes all five', 60, () => scraped(5));
} finally {
  compose('--profile', 'tap', 'down', '--volumes', '--timeout', '20');
}
