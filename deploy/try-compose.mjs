/**
 * Starts the compose file on a real Docker engine, shows that it does what docs/operations.md promises, and takes it down.
 * It stands apart from the tests, since it needs an engine, images to pull, and the ports of the compose file.
 *   node deploy/try-compose.mjs                               everything, built and pulled
 *   node deploy/try-compose.mjs --no-build nats prometheus load-balancer …    from images that are there, only these services
 */
import { execFile, execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const IMAGE = 'metadata-center:0.1.0';
const ADDRESS = 'http://127.0.0.1:8080';
const GATEWAYS = 4;

const up = process.argv.length > 2 ? process.argv.slice(2) : ['--build'];
const run = promisify(execFile);
const docker = async (...args) => (await run('docker', args)).stdout;
const compose = (...args) => docker('compose', ...args);
/** Building and pulling take their time: what they do is shown, and they are given up at last. */
const start = () =>
  execFileSync('docker', ['compose', 'up', '--detach', ...up], { stdio: 'inherit', timeout: 15 * 60_000 });

const containers = async () => (await compose('ps', '-q', 'metadata-center')).trim().split('\n').sort();

/** An answer within 5 s. (A timer of AbortSignal would not keep the process alive while Docker's proxy says nothing.) */
async function ask(url, method = 'GET', body = undefined) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error('no answer in time')), 5_000);
  try {
    const response = await fetch(url, {
      method,
      body: body && JSON.stringify(body),
      signal: abort.signal,
    });
    const text = await response.text();
    const { error, data } = text.startsWith('{') ? JSON.parse(text) : {};
    return { status: response.status, code: error?.code, data };
  } finally {
    clearTimeout(timer);
  }
}

/** Asks one replica, which has no port of the host: by the node in its container. */
async function askOne(id, path, method = 'GET', body = undefined) {
  const program = `(${ask})(...JSON.parse(process.argv[1])).then((answer) => console.log(JSON.stringify(answer)))`;
  const request = JSON.stringify([`http://localhost:8080${path}`, method, body]);
  return JSON.parse(await docker('exec', id, 'node', '-e', program, request));
}
const get = async (id, path) => (await askOne(id, path)).data;

let reports = 0;
async function add(id) {
  const report = {
    cluster: 'try',
    request_id: `try-${++reports}`,
    ip: `10.0.0.${reports}`,
    prompt_length: 7,
  };
  const { status } = await askOne(id, '/v1/load/stats', 'POST', report);
  if (status !== 200) throw new Error(`a report at ${id} is answered ${status}`);
}
const addEverywhere = async () => {
  for (const id of await containers()) await add(id);
};

/** Runs gateways that call the one address while `steps` are done, and shows that none of their requests was refused. */
async function withoutRefusal(what, steps) {
  const refused = [];
  let asked = 0;
  let slowest = 0;
  let ended = false;
  const request = async (path, method, body) => {
    const started = performance.now();
    const answer = await ask(`${ADDRESS}${path}`, method, body).catch((error) => ({
      status: String(error.cause ?? error),
    }));
    asked++;
    slowest = Math.max(slowest, performance.now() - started);
    // The second copy of a delete whose first copy has arrived.
    const isDone = answer.status === 200 || answer.code === 40001404;
    if (!isDone) refused.push({ at: new Date().toISOString(), method, ...answer });
  };
  const gateway = async (name) => {
    while (!ended) {
      const report = { cluster: 'load', request_id: `${name}-${asked}-${Date.now()}`, ip: `10.1.0.${name}` };
      await request('/v1/load/stats', 'POST', { ...report, timestamp: Date.now(), prompt_length: 1 });
      await request('/v1/load/stats?cluster=load', 'GET');
      await request('/v1/load/stats', 'DELETE', { request_id: report.request_id });
      await delay(20);
    }
  };
  const load = Promise.all(Array.from({ length: GATEWAYS }, (_, i) => gateway(i + 1)));
  try {
    await delay(1_000);
    await steps();
    await delay(1_000);
  } finally {
    ended = true;
    await load;
  }
  const figures = `${refused.length} of ${asked} requests refused, the slowest took ${(slowest / 1000).toFixed(2)} s`;
  if (refused.length > 0)
    throw new Error(
      `${what}: ${figures}\n${refused
        .slice(0, 10)
        .map((one) => JSON.stringify(one))
        .join('\n')}`,
    );
  console.log(`ok: ${what}: ${figures}`);
}

async function shown(what, withinSeconds, holds) {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  for (;;) {
    if (await holds().catch(() => false)) break;
    if (seconds() > withinSeconds)
      throw new Error(`${what}: not within ${withinSeconds} s\n${await compose('ps', '--all')}`);
    await delay(1_000);
  }
  console.log(`ok: ${what} (${seconds().toFixed(1)} s)`);
}

const everyReplica = async (count, holds) => {
  const all = await containers();
  return all.length === count && (await Promise.all(all.map(holds))).every(Boolean);
};
const joined = (count) =>
  everyReplica(count, async (id) => {
    const { ready, bus, peers } = await get(id, '/readyz');
    const others = Object.values(peers);
    return (
      ready && bus.connected && others.length === count - 1 && others.every((state) => state === 'ready')
    );
  });
const seenEverywhere = (count) =>
  everyReplica(count, async (id) => {
    const rows = await get(id, '/v1/load/stats?cluster=try');
    const loaded = await get(id, '/v1/load/stats?cluster=load');
    return (
      rows.length === reports &&
      rows.every((row) => row.queued_req_num === 1 && row.prompt_length === 7) &&
      loaded.every((row) => row.queued_req_num === 0)
    );
  });
const healthy = (count) =>
  everyReplica(
    count,
    async (id) => (await docker('inspect', '-f', '{{.State.Health.Status}}', id)).trim() === 'healthy',
  );
const used = async (count) => {
  const response = await fetch('http://127.0.0.1:8404/;csv');
  return (await response.text()).match(/^replicas,replica.*,UP,/gm)?.length === count;
};
const prometheus = async (path) => (await ask(`http://127.0.0.1:9090${path}`)).data;
const scraped = async (count) => {
  const { activeTargets } = await prometheus('/api/v1/targets?state=active');
  return activeTargets.length === count && activeTargets.every(({ health }) => health === 'up');
};
const rulesWork = async () => {
  const { groups } = await prometheus('/api/v1/rules');
  const rules = groups.flatMap((group) => group.rules);
  return rules.length > 0 && rules.every(({ health }) => health === 'ok');
};

/** Another image under the name of the image that runs, as a build of another version is. */
const makeImage = (line) =>
  execFileSync('docker', ['build', '--quiet', '--tag', IMAGE, '-'], { input: `FROM ${IMAGE}\n${line}\n` });
const upgrade = (env = {}) =>
  run('deploy/upgrade-compose.sh', ['--no-build'], { env: { ...process.env, ...env } });
const upgraded = async () => {
  const labels = await Promise.all(
    (await containers()).map((id) => docker('inspect', '-f', '{{index .Config.Labels "try"}}', id)),
  );
  return labels.every((label) => label.trim() === 'upgraded');
};
const scale = (count) =>
  compose(
    'up',
    '--detach',
    '--no-recreate',
    ...up.filter((option) => option !== '--build'),
    '--scale',
    `metadata-center=${count}`,
  );

let before;
try {
  start();
  before = (await docker('inspect', '-f', '{{.Id}}', IMAGE)).trim();
  await shown('three replicas find each other and nats', 60, () => joined(3));
  await shown('Docker calls them healthy', 60, () => healthy(3));
  await shown('the load balancer uses all three', 10, () => used(3));
  await add((await containers())[0]);
  await shown('a report at one is seen at all', 5, () => seenEverywhere(3));
  await shown('Prometheus scrapes all three', 60, () => scraped(3));
  await shown('Prometheus evaluates every alert', 60, rulesWork);

  await withoutRefusal('a replica is killed and comes back', async () => {
    await docker('kill', (await containers())[0]);
    await addEverywhere();
    await shown('the load balancer goes on with two', 20, () => used(2));
    await scale(3);
    await shown('it comes back', 30, () => joined(3));
    await shown('and is used', 10, () => used(3));
  });
  await shown('and has what it missed', 10, () => seenEverywhere(3));

  await withoutRefusal('an upgrade to another image', async () => {
    makeImage('LABEL try=upgraded');
    const old = await containers();
    await upgrade();
    const overlap = (await containers()).filter((id) => old.includes(id));
    await shown(
      'three replicas of the new image run',
      5,
      async () => overlap.length === 0 && (await upgraded()),
    );
    await shown('and find each other', 30, () => joined(3));
  });
  await shown('and have what the old ones had', 10, () => seenEverywhere(3));

  await withoutRefusal('an upgrade to an image that does not start', async () => {
    makeImage('ENV HTTP_PORT=none');
    const old = await containers();
    const failed = await upgrade({ UPGRADE_TIMEOUT: '15' }).then(
      () => false,
      () => true,
    );
    const left = await containers();
    await shown('is given up, and the replicas are the ones before', 5, () =>
      Promise.resolve(failed && String(left) === String(old)),
    );
    await docker('tag', before, IMAGE);
  });

  await withoutRefusal('three become five, and five become three', async () => {
    await scale(5);
    await shown('five find each other', 60, () => joined(5));
    await shown('the load balancer uses all five', 10, () => used(5));
    await shown('Prometheus scrapes all five', 60, () => scraped(5));
    await scale(3);
    await shown('the load balancer uses the three that are left', 30, () => used(3));
  });
  await shown('the three show the same', 30, () => seenEverywhere(3));

  await compose('restart', 'metadata-center');
  await shown('all replicas restart at once', 60, () => joined(3));
  await shown('and rebuild their rows from the history', 10, () => seenEverywhere(3));

  await withoutRefusal('nats is killed and comes back', async () => {
    await compose('kill', 'nats');
    await addEverywhere();
    await scale(3);
    await shown('replicas find nats again', 30, () => joined(3));
  });
  await shown('and have what was reported meanwhile', 30, () => seenEverywhere(3));
} finally {
  if (before) await docker('tag', before, IMAGE);
  await compose('--profile', 'tap', 'down', '--volumes', '--timeout', '20');
}
