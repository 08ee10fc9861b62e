/** The replica that serves this page, as it describes itself: its bus, its peers, what it lost, and how fast events are. */
import { element, number, rate, setText } from './cells.js';

/** Rates and quantiles are over this long. */
const WINDOW_US = 10_000_000;

export class ReplicaPanel {
  constructor() {
    this.facts = new Map();
    this.list = document.getElementById('replica-facts');
    this.past = [];
  }

  take(state) {
    if (this.past.length > 0 && this.past[0].replica !== state.replica) this.past = [];
    this.past.push(state);
    while (this.past.length > 2 && this.past[1].time_us < state.time_us - WINDOW_US) this.past.shift();
    const { totals } = state;
    const before = this.past[0];
    const seconds = (state.time_us - before.time_us) / 1e6;
    const perSecond = (name) =>
      seconds > 0 ? `${rate((totals[name] - before.totals[name]) / seconds)} /s` : '–';

    this.fact('Replica', state.replica);
    this.fact('Version', state.version);
    const condition = state.ready ? (state.degraded ? 'ready, degraded' : 'ready') : 'not ready';
    this.fact('State', `${condition}: ${state.reason}`, state.degraded || !state.ready);
    this.fact('Bus', state.bus.connected ? 'connected' : `lost: ${state.bus.reason}`, !state.bus.connected);
    this.fact('History', state.history.state);
    this.fact('Missing events', number(state.missing_events), state.missing_events > 0);
    this.fact('Lost for good', number(totals.events_given_up), totals.events_given_up > 0);
    this.fact('Divergences', number(totals.divergences), totals.divergences > 0);
    this.fact('Own events', perSecond('events_own'));
    this.fact('Events from the bus', perSecond('events_received'));
    this.fact('Replication p50 / p99', latency(state.replication_latency, before.replication_latency));
    this.fact('Requests in flight', number(state.in_flight));
    this.fact('Expired requests', number(totals.requests_expired), totals.requests_expired > 0);
    this.fact('Watchers', number(state.watchers));
    this.peers(state);
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

  peers({ peers, peer_replicas }) {
    const entries = Object.entries(peers);
    const text = JSON.stringify([entries, peer_replicas]);
    if (text === this.peersText) return;
    this.peersText = text;
    setText(document.getElementById('peer-count'), entries.length > 0 ? number(entries.length) : '');
    document.getElementById('no-peers').hidden = entries.length > 0;
    document
      .getElementById('peer-rows')
      .replaceChildren(
        ...entries.map(([address, state]) =>
          element(
            'tr',
            {},
            element('th', { scope: 'row', textContent: address }),
            element('td', { textContent: peer_replicas[address] ?? '–' }),
            element('td', { textContent: state, className: state === 'ready' ? '' : 'warn' }),
          ),
        ),
      );
  }
}

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
