/**
 * A reverse proxy for OpenAI-style requests: chooses an engine for each request with Metadata Center, passes the request and its
 * stream of tokens through, and reports the first token and the end, however the request ends.
 *
 *   REPLICAS=metadata-center.infra:8080 ENGINES=10.0.0.7,10.0.0.8 ENGINE_PORT=8000 PORT=8090 node proxy.mjs
 */
import { Agent, createServer, request } from 'node:http';
import { pipeline } from 'node:stream';
import { MetadataCenter, MetadataCenterError, NoEngineError } from 'metadata-center/client';

const {
  REPLICAS = 'localhost:8080',
  ENGINES = '',
  ENGINE_PORT = '8000',
  HOST = '127.0.0.1',
  PORT = '8090',
} = process.env;
const { TOKEN, MAX_QUEUED, TIMEOUT_MS } = process.env;
const candidates = ENGINES.split(',').filter(Boolean);
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** What a token of English text has on average; a tokenizer would know better. */
const BYTES_PER_TOKEN = 4;

const mc = new MetadataCenter({
  replicas: REPLICAS.split(','),
  ...(TOKEN && { token: TOKEN }),
  ...(TIMEOUT_MS && { timeoutMs: Number(TIMEOUT_MS) }),
});
const agent = new Agent({ keepAlive: true });

const server = createServer((req, res) => {
  serve(req, res).catch((error) => {
    if (res.headersSent) res.destroy();
    else fail(res, error);
  });
});

async function serve(req, res) {
  if (req.method !== 'POST') return answer(res, 404, 'only POST is passed on');
  const body = await bodyOf(req);
  if (body === undefined) return answer(res, 413, 'the body is too large');
  const cluster = modelOf(body);
  if (cluster === undefined) return answer(res, 400, 'the body has no model');

  // The caller may go at any time: before the select, during it, and while the engine works.
  const gone = new AbortController();
  res.on('close', () => gone.abort());
  const booking = await book(cluster, Math.ceil(body.length / BYTES_PER_TOKEN), gone.signal);
  try {
    await pass(req, res, body, booking, gone.signal);
  } finally {
    booking.end();
  }
}

async function book(cluster, promptLength, signal) {
  try {
    const maxQueued = MAX_QUEUED ? Number(MAX_QUEUED) : undefined;
    return await mc.select({ cluster, promptLength, candidates, maxQueued, signal });
  } catch (error) {
    // No replica could say. Serving goes on without it, and the request is reported as soon as one can hear it.
    const isAway = error instanceof MetadataCenterError && (error.status === 0 || error.status >= 500);
    if (!isAway) throw error;
    const ip = candidates[Math.floor(Math.random() * candidates.length)];
    return mc.add({ cluster, ip, promptLength });
  }
}

/** Resolves when the answer has been passed on to its end. */
function pass(req, res, body, booking, signal) {
  return new Promise((resolve, reject) => {
    const { host: _host, connection: _connection, ...headers } = req.headers;
    const upstream = request(
      { host: booking.engine, port: ENGINE_PORT, method: 'POST', path: req.url, headers, agent, signal },
      (response) => {
        // An engine streams its first token as the first bytes of the body, and sends the head before or with them.
        response.once('data', () => booking.firstToken());
        response.pause();
        res.writeHead(response.statusCode, { ...response.headers, 'x-engine': booking.engine });
        pipeline(response, res, (error) => (error ? reject(error) : resolve()));
      },
    );
    upstream.on('error', reject);
    upstream.end(body);
  });
}

async function bodyOf(req) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function modelOf(body) {
  try {
    const { model } = JSON.parse(body);
    return typeof model === 'string' ? model : undefined;
  } catch {
    return undefined;
  }
}

function fail(res, error) {
  if (error instanceof NoEngineError) return answer(res, 429, 'all engines are busy', { 'Retry-After': '1' });
  if (error instanceof MetadataCenterError) return answer(res, 502, error.reason);
  answer(res, 502, 'the engine does not answer');
}

function answer(res, status, message, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(JSON.stringify({ error: { message } }));
}

server.listen(Number(PORT), HOST, () => console.log(`listening on ${server.address().port}`));

process.once('SIGTERM', () => {
  server.close(() => mc.close().then(() => process.exit(0)));
  server.closeIdleConnections();
});
