/** The replica that serves this page, as it describes itself: its bus, its peers, what it lost, and how fast events are. */
import { element, number, rate, setText } from './cells.js';

/** The states of the history in words for people. */
const HISTORY = {
  none: 'off',
  young: 'kept, and not old enough to hold everything yet',
  done: 'kept',
  starting: 'starting',
  replaying: 'being replayed',
  failing: 'cannot be reached',
};
/** Short, so that six columns fit. */
const STATES = { unreachable: 'lost', 'other-deployment': 'other deployment' };
const ROWS = {
  agreed: 'equal',
  open: 'checking',
  waiting: 'checking',
  incomplete: 'differ',
  diverged: 'differ',
};

export class ReplicaPanel {
  constructor() {
    this.facts = new Map();
    this.list = document.getElementById('replica-facts');
  }

  take(state, before) {
    const { totals } = state;
    const seconds = (state.time_us - before.time_us) / 1e6;
    const perSecond = (name) =>
      seconds > 0 ? `${rate((totals[name] - before.totals[name]) / seconds)} /s` : '–';

    this.fact('Replica', state.replica);
    this.fact('Version', state.version);
    const condition = state.ready ? (state.degraded ? 'ready, degraded' : 'ready') : 'not ready';
    // How it began is no news once it is ready; what is wrong is.
    this.fact(
      'State',
      condition === 'ready' ? condition : `${condition}: ${state.reason}`,
      state.degraded || !state.ready,
    );
    this.fact('Bus', state.bus.connected ? 'connected' : `lost: ${state.bus.reason}`, !state.bus.connected);
    this.fact('History', HISTORY[state.history.state] ?? state.history.state);
    this.fact('Missing events', number(state.missing_events), state.missing_events > 0);
    this.fact('Lost for good', number(totals.events_given_up), totals.events_given_up > 0);
    this.fact('Divergences', number(totals.divergences), totals.divergences > 0);
    this.fact('Own events', perSecond('events_own'));
    this.fact('Events from the bus', perSecond('events_received'));
    this.fact('Replication p50 / p99', latency(state.replication_latency, before.replication_latency));
    this.fact('Requests in flight', number(state.in_flight));
    this.fact('Expired requests', number(totals.requests_expired), totals.requests_expired > 0);
    this.fact('Watchers', number(state.watchers));
    this.cache(state, before, perSecond);
    this.replicas(state, latency(state.replication_latency, before.replication_latency));
  }

  cache({ cache, totals }, before, perSecond) {
    if (!cache) {
      this.fact('Prefix cache', 'off');
      return;
    }
    this.fact('Prefix cache', `${number(cache.entries)} prefixes`);
    this.fact('Cache horizon', `${number(Math.round(cache.horizon_age_us / 1e6))} s`);
    const hits = totals.cache_hits - before.totals.cache_hits;
    const queries = hits + totals.cache_misses - before.totals.cache_misses;
    const share = queries > 0 ? ` (${Math.round((100 * hits) / queries)} % hits)` : '';
    this.fact('Cache hits / misses', `${perSecond('cache_hits')} / ${perSecond('cache_misses')}${share}`);
  }

  fact(name, text, warn = false) {
    let value = this.facts.get(name);
    if (!value) {
      value = element('dd');
      this.facts.set(name, value);
      this.list.append(element('dt', { textContent: name }), value);
    }
    setText(value, text);
    value.classList.toggle('warn', warn);
  }

  /** All replicas side by side, as far as this one knows. */
  replicas(state, ownLatency) {
    const { peers, peer_replicas, peer_reports } = state;
    const others = Object.entries(peers).filter(([, is]) => is !== 'itself');
    const cells = [
      [
        'this one',
        state.replica,
        state.ready ? 'ready' : 'not ready',
        '',
        bus(state.bus.connected),
        number(state.missing_events),
        ownLatency.split(' / ')[0],
      ],
      ...others.map(([address, is]) => {
        const { rows, bus_connected, missing_events, latency_ms, misses } = peer_reports[address] ?? {};
        const latency = latency_ms === null || latency_ms === undefined ? '–' : milliseconds(latency_ms);
        return [
          address,
          peer_replicas[address] ?? '',
          is === 'unreachable' && misses === 0 ? 'not asked yet' : (STATES[is] ?? is),
          ROWS[rows] ?? '–',
          bus(bus_connected),
          missing_events === undefined ? '–' : number(missing_events),
          is === 'ready' ? latency : '–',
        ];
      }),
    ];
    const text = JSON.stringify(cells);
    if (text === this.replicasText) return;
    this.replicasText = text;
    setText(document.getElementById('replica-count'), number(cells.length));
    document.getElementById('no-peers').hidden = others.length > 0;
    document
      .getElementById('replica-rows')
      .replaceChildren(
        ...cells.map(([address, id, is, rows, connected, holes, latency]) =>
          element(
            'tr',
            {},
            element('th', { scope: 'row' }, address, element('span', { className: 'id', textContent: id })),
            cell(is, is === STATES.unreachable || is === 'not ready'),
            cell(rows, rows === 'differ'),
            cell(connected, connected === 'lost'),
            cell(holes, holes !== '0' && holes !== '–', 'number'),
            cell(latency, false, 'number'),
          ),
        ),
      );
  }
}

/** Of clocks that are a little apart, it may be below 0. */
const milliseconds = (ms) =>
  Math.abs(ms) < 0.05 ? '0.0 ms' : Math.abs(ms) < 10 ? `${ms.toFixed(1)} ms` : `${number(Math.round(ms))} ms`;
const cell = (textContent, warn, kind = '') =>
  element('td', { textContent, className: warn ? `${kind} warn` : kind });
const bus = (connected) => (connected === undefined ? '–' : connected ? 'up' : 'lost');

function latency(now, before) {
  const counts = now.counts.map((count, i) => count - before.counts[i]);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return '–';
  const quantile = (q) => {
    let left = q * total;
    for (const [i, bound] of now.bounds_ms.entries()) {
      const lower = now.bounds_ms[i - 1] ?? 0;
      // Within a bucket as Prometheus does it: as if they were spread evenly.
      if (left <= counts[i]) return lower + ((bound - lower) * left) / counts[i];
      left -= counts[i];
    }
    return Infinity;
  };
  const words = (ms) =>
    ms === Infinity ? '> 8 s' : ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
  return `${words(quantile(0.5))} / ${words(quantile(0.99))}`;
}
