/** Puts the page together: two streams in, tables, charts and alerts out. Nothing is polled but what is
 * folded out. */
import { clock, element, setText } from './cells.js';
import { Charts } from './charts.js';
import { Clusters, linkTo } from './clusters.js';
import { Engines } from './engines.js';
import { EventStream } from './event-stream.js';
import { History } from './history.js';
import { Owners } from './owners.js';
import { ReplicaPanel } from './replica.js';
import { Token } from './token.js';

const INTERVAL_MS = 250;
/** Large clusters change everywhere all the time: more often than this nobody can follow. */
const LARGE = { engines: 300, intervalMs: 500 };
/** The overview changes with every message; the rows may be quiet, but have a heartbeat. */
const OVERVIEW_SILENT_MS = 3_000;
const ROWS_SILENT_MS = 12_000;
/** A hidden page gives its connections back after this long: browsers have few for one host. */
const HIDDEN_MS = 60_000;

const clusters = new Clusters();
const engines = new Engines(showSelection);
const history = new History();
const charts = new Charts();
const replica = new ReplicaPanel();
const token = new Token(connect);
const headers = () => token.headers();
const owners = new Owners(headers);

let cluster;
let rowsStream;
let lastNewsMs = 0;
const problems = new Map();

const overview = new EventStream(`/v1/overview/watch?interval_ms=${INTERVAL_MS}`, {
  headers,
  silentMs: OVERVIEW_SILENT_MS,
  onEvent: (name, data) => {
    lastNewsMs = Date.now();
    if (name === 'replica') takeReplica(data);
    else if (name === 'recent') history.remember(Math.floor(Date.now() / 1000), data);
    else clusters.take(name, data);
    if (cluster === undefined) selectFromAddress();
  },
  onState: (state, reason) => {
    if (state === 'denied') token.ask();
    const since = lastNewsMs > 0 ? ` What is shown is from ${clock(lastNewsMs)}.` : '';
    problem(
      'replica',
      state === 'lost' ? `This replica does not answer (${reason}).${since} Trying again.` : undefined,
      true,
    );
    document.body.classList.toggle('stale', state !== 'live');
    if (state === 'lost') problem('bus', undefined);
  },
});

function takeReplica(state) {
  replica.take(state);
  problem(
    'bus',
    state.bus.connected
      ? undefined
      : `The bus is lost (${state.bus.reason}). This replica shows only what is reported to itself, and catches up when the bus is back.`,
  );
  problem('ready', state.ready ? undefined : `This replica is not ready: ${state.reason}.`);
}

function problem(kind, text, bad = false) {
  const before = problems.get(kind)?.text;
  if (text === undefined) problems.delete(kind);
  else problems.set(kind, { text, bad });
  if (before !== text) {
    const shown = [...problems].filter(([kind]) => kind === 'replica' || !problems.has('replica'));
    const alerts = shown.map(([, { text, bad }]) =>
      element('p', { textContent: text, className: bad ? 'bad' : '' }),
    );
    document.getElementById('alerts').replaceChildren(...alerts);
  }
  const pill = document.getElementById('connection');
  const state = problems.has('replica')
    ? 'lost'
    : problems.size > 0
      ? 'degraded'
      : lastNewsMs > 0
        ? 'live'
        : 'waiting';
  pill.dataset.state = state;
  setText(
    pill,
    {
      lost: 'replica lost',
      degraded: problems.has('bus') ? 'bus lost' : 'not ready',
      live: 'live',
      waiting: 'connecting',
    }[state],
  );
  document.title =
    state === 'live' || state === 'waiting' ? 'Metadata Center' : `(${pill.textContent}) Metadata Center`;
}

function connect() {
  overview.start();
  rowsStream?.start();
}

function selectFromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get('cluster');
  const busiest = [...clusters.rows.values()].sort((a, b) => b.queued_req_num - a.queued_req_num)[0]?.cluster;
  const next = wanted ?? busiest;
  if (next === undefined || next === cluster) return;
  if (wanted === null) window.history.replaceState(null, '', linkTo(next));
  cluster = next;
  clusters.select(cluster);
  engines.clear();
  owners.select(cluster);
  history.forgetEngines();
  setText(document.getElementById('cluster-name'), cluster);
  rowsStream?.stop();
  const intervalMs = clusters.rows.get(cluster)?.engines > LARGE.engines ? LARGE.intervalMs : INTERVAL_MS;
  const query = `cluster=${encodeURIComponent(cluster)}&interval_ms=${intervalMs}`;
  rowsStream = new EventStream(`/v1/load/watch?${query}`, {
    headers,
    silentMs: ROWS_SILENT_MS,
    onEvent: (name, data) => engines.take(name, data),
    onState: (state, reason) =>
      problem('rows', state === 'lost' ? `The rows of this cluster do not come (${reason}).` : undefined),
  });
  rowsStream.start();
  draw();
}

function showSelection(ip) {
  for (const label of document.querySelectorAll('.of')) setText(label, ip ?? 'all engines');
  draw();
}

function draw() {
  charts.show(history.series(Math.floor(Date.now() / 1000), cluster, engines.selected));
}

setInterval(() => {
  const fresh = !problems.has('replica');
  if (fresh) history.sample(Math.floor(Date.now() / 1000), clusters.rows, engines.rows);
  draw();
}, 1_000);

let hiddenTimer;
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiddenTimer);
  if (!document.hidden) {
    if (!overview.abort) connect();
    return;
  }
  hiddenTimer = setTimeout(() => {
    overview.stop();
    rowsStream?.stop();
  }, HIDDEN_MS);
});
window.addEventListener('hashchange', selectFromAddress);
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input')) return;
  event.preventDefault();
  document.getElementById('filter').focus();
});
connect();
