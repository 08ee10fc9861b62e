/** A process of a gateway that holds requests and renews its lease, to be killed: `{owner, ttl_ms, cluster, count, urls, renewAt}`. */
const { Agent, request } = require('node:http');

const { owner, ttl_ms, cluster, count, urls, renewAt } = JSON.parse(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

function send(url, method, path, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'Content-Length': Buffer.byteLength(text) };
    const outgoing = request(`${url}${path}`, { method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

let renewals = 0;
async function renew() {
  const url = renewAt[renewals++ % renewAt.length];
  const startedMs = Date.now();
  const status = await send(url, 'PUT', '/v1/load/owner', { owner, ttl_ms }).catch(() => 0);
  if (status === 200) process.stdout.write(`renewed ${startedMs}\n`);
}

async function hold() {
  await renew();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const n = next++;
      const body = { cluster, request_id: `${owner}-${n}`, ip: `10.0.0.${n % 16}`, prompt_length: 1, owner };
      const status = await send(urls[n % urls.length], 'POST', '/v1/load/stats', body);
      if (status !== 200) throw new Error(`answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  process.stdout.write('holding\n');
}

setInterval(renew, ttl_ms / 4);
hold().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
