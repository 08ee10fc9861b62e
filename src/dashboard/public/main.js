/** Puts the page together: two streams in, tables, charts and alerts out. Nothing is polled but what is
 * folded out. */
import { clock, element, number, setText } from './cells.js';
import { Charts } from './charts.js';
import { Clusters, linkTo } from './clusters.js';
import { Engines } from './engines.js';
import { EventStream } from './event-stream.js';
import { Samples } from './samples.js';
import { Owners } from './owners.js';
import { ReplicaPanel } from './replica.js';
import { Past } from './past.js';
import { bearer, Token } from './token.js';
import { Totals } from './totals.js';
import { troublesOf } from './troubles.js';

const INTERVAL_MS = 250;
/** Large clusters change everywhere all the time: more often than this nobody can follow. */
const LARGE = { engines: 300, intervalMs: 500 };
/** The overview changes with every message; the rows may be quiet, but have a heartbeat. */
const OVERVIEW_SILENT_MS = 3_000;
const ROWS_SILENT_MS = 12_000;
/** A hidden page gives its connections back after this long: browsers have few for one host. */
const HIDDEN_MS = 60_000;

for (const place of document.querySelectorAll('.origin')) setText(place, location.origin);

const clusters = new Clusters();
const engines = new Engines(showSelection);
const samples = new Samples();
const charts = new Charts();
const replica = new ReplicaPanel();
const totals = new Totals();
const past = new Past();
const token = new Token(connect);
const owners = new Owners(bearer);

let cluster;
let rowsStream;
let lastNewsMs = 0;
const problems = new Map();
let troubles = [];

const overview = new EventStream(`/v1/overview/watch?interval_ms=${INTERVAL_MS}`, {
  headers: bearer,
  silentMs: OVERVIEW_SILENT_MS,
  onEvent: (name, data) => {
    lastNewsMs = Date.now();
    if (name === 'replica') takeReplica(data);
    else if (name === 'recent') samples.remember(Math.floor(Date.now() / 1000), data);
    else takeClusters(name, data);
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
  },
});

function takeReplica(state) {
  past.take(state);
  replica.take(state, past.lately);
  totals.take(state, past.lately, clusters.rows);
  troubles = troublesOf(state, past.aMinuteAgo);
  showProblems();
}

function takeClusters(name, data) {
  clusters.take(name, data);
  // Only now it is known whether there are any.
  document.body.dataset.known = clusters.rows.size > 0 ? 'clusters' : 'none';
}

function problem(kind, text, bad = false) {
  if (text === undefined) problems.delete(kind);
  else problems.set(kind, { short: 'degraded', text, figures: '', bad });
  showProblems();
}

/** What this page knows of itself and, as long as its replica answers, what that says. */
function showProblems() {
  const lost = problems.get('replica');
  const shown = lost ? [lost] : [...troubles, ...problems.values()];
  const alerts = document.getElementById('alerts');
  const texts = shown.map(({ text }) => text).join('\n');
  // Read out when a trouble begins, not at each of its figures.
  if (alerts.dataset.texts !== texts) {
    alerts.dataset.texts = texts;
    alerts.replaceChildren(
      ...shown.map(({ text, bad }) => {
        const figures = element('span');
        figures.setAttribute('aria-live', 'off');
        return element('p', { className: bad ? 'bad' : '' }, `${text} `, figures);
      }),
    );
  }
  for (const [i, { figures }] of shown.entries()) setText(alerts.children[i].lastChild, figures);
  const pill = document.getElementById('connection');
  const known = lastNewsMs > 0;
  pill.dataset.state = lost
    ? 'lost'
    : shown.length > 0
      ? shown[0].bad
        ? 'lost'
        : 'degraded'
      : known
        ? 'live'
        : 'waiting';
  setText(pill, lost ? 'replica lost' : (shown[0]?.short ?? (known ? 'live' : 'connecting')));
  document.title = shown.length > 0 ? `(${pill.textContent}) Metadata Center` : 'Metadata Center';
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
  samples.forgetEngines();
  setText(document.getElementById('cluster-name'), cluster);
  rowsStream?.stop();
  const intervalMs = clusters.rows.get(cluster)?.engines > LARGE.engines ? LARGE.intervalMs : INTERVAL_MS;
  const query = `cluster=${encodeURIComponent(cluster)}&interval_ms=${intervalMs}`;
  rowsStream = new EventStream(`/v1/load/watch?${query}`, {
    headers: bearer,
    silentMs: ROWS_SILENT_MS,
    onEvent: (name, data) => {
      engines.take(name, data);
      // An engine's line begins with what is known, not with the next second.
      if (name === 'rows') samples.sample(Math.floor(Date.now() / 1000), clusters.rows, engines.rows);
    },
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

/** How evenly the selected cluster is loaded. */
function showSpread() {
  const queued = [...engines.rows.values()].map((row) => row.queued_req_num);
  const sum = queued.reduce((all, one) => all + one, 0);
  const idle = queued.filter((one) => one === 0).length;
  // A thousand may be too many for arguments.
  const most = queued.reduce((a, b) => Math.max(a, b), 0);
  const words =
    queued.length === 0
      ? ''
      : `${number(queued.length)} engines, ${number(idle)} idle` +
        (sum > 0 ? `; the busiest has ${((most * queued.length) / sum).toFixed(1)} × the mean` : '');
  setText(document.getElementById('spread'), words);
}

function draw() {
  charts.show(samples.series(Math.floor(Date.now() / 1000), cluster, engines.selected));
}

setInterval(() => {
  const fresh = !problems.has('replica');
  if (fresh) samples.sample(Math.floor(Date.now() / 1000), clusters.rows, engines.rows);
  draw();
  showSpread();
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
