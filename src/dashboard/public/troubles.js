/** What is wrong, in words, from what the replica says of itself now and what it said a while ago. */
import { number } from './cells.js';

/** Limits as people call them, and the variable that raises one. */
const LIMITS = {
  in_flight: ['requests in flight', 'METADATA_CENTER_MAX_IN_FLIGHT'],
  in_flight_ceiling: ['requests in flight, those of other replicas too', 'METADATA_CENTER_MAX_IN_FLIGHT'],
  engines: ['engines', 'METADATA_CENTER_MAX_ENGINES'],
  engines_ceiling: ['engines, those of other replicas too', 'METADATA_CENTER_MAX_ENGINES'],
  finished: ['finished requests that are remembered', 'METADATA_CENTER_MAX_IN_FLIGHT'],
  deletes_waiting: ['deletes that came before their report', 'METADATA_CENTER_MAX_IN_FLIGHT'],
  watchers: ['open streams', 'METADATA_CENTER_MAX_WATCHERS'],
  connections: ['connections'],
  inbox: ['bytes of events that wait'],
};
/** Those at which a report is answered 503. */
const REFUSES_REPORTS = new Set(['in_flight', 'engines', 'finished']);
const NEAR = 0.8;

export const limitName = (name) => LIMITS[name]?.[0] ?? name.replaceAll('_', ' ');

/**
 * The troubles, the worst first: `short` is for the pill, `text` holds still as long as the trouble does, `figures` are those
 * that move.
 */
export function troublesOf(state, before) {
  const troubles = [];
  const bad = (short, text, figures = '') => troubles.push({ short, text, figures, bad: true });
  const warn = (short, text, figures = '') => troubles.push({ short, text, figures, bad: false });
  const grown = (name) => (before ? state.totals[name] - before.totals[name] : 0);

  if (!state.ready) bad('not ready', `This replica is not ready: ${state.reason}.`);
  if (!state.bus.connected) {
    bad(
      'bus lost',
      `The bus is lost (${state.bus.reason}). This replica shows only what is reported to itself, and catches up when the bus is back.`,
    );
  }
  for (const [name, { use, most, refused }] of Object.entries(state.limits)) {
    const figures = `${number(use)} of ${number(most)} in use, ${number(refused)} refused since it was reached.`;
    const raise = LIMITS[name]?.[1] ? ` (${LIMITS[name][1]})` : '';
    if (REFUSES_REPORTS.has(name))
      bad(
        'refusing reports',
        `Reports are refused: the limit of ${limitName(name)}${raise} is reached.`,
        figures,
      );
    else if (name === 'watchers')
      warn(
        'limit reached',
        `Streams are refused: as many as ${raise.slice(2, -1)} allows are open.`,
        figures,
      );
    else bad('limit reached', `The limit of ${limitName(name)}${raise} is reached.`, figures);
  }
  for (const { name, use, most } of state.limit_use) {
    if (use < NEAR * most || state.limits[name]) continue;
    const figures = `${number(use)} of ${number(most)}, ${Math.floor((100 * use) / most)} %.`;
    warn('limit near', `The limit of ${limitName(name)} is near.`, figures);
  }
  const expired = grown('requests_expired');
  if (expired > 0) {
    const text =
      'Requests expire: they were reported, but nobody reported their end. Their gateway may be gone.';
    warn('requests expire', text, `${number(expired)} in the last minute.`);
  }
  const lost = Object.entries(state.peer_reports)
    .filter(([address, { misses }]) => state.peers[address] === 'unreachable' && misses > 0)
    .map(([address]) => address);
  if (lost.length > 0) {
    const all = Object.keys(state.peer_reports).length;
    warn('peers lost', `${lost.length} of ${all} peers cannot be reached: ${lost.join(', ')}.`);
  }
  for (const [address, { bus_connected }] of Object.entries(state.peer_reports)) {
    if (bus_connected === false) warn('bus lost at a peer', `The peer ${address} has lost the bus.`);
  }
  if (state.missing_events > 0 && before?.missing_events > 0) {
    warn(
      'events missing',
      'Events are missing here, and are fetched from peers.',
      `${number(state.missing_events)} now.`,
    );
  }
  if (grown('events_given_up') > 0)
    bad(
      'events lost',
      'Events were lost for good: no peer had them.',
      `${number(grown('events_given_up'))} in the last minute.`,
    );
  if (grown('divergences') > 0)
    bad('rows differ', 'The rows here differed from those of a peer after equal events. They are merged.');
  if (
    grown('answers_failed') > 0 &&
    state.ready &&
    !troubles.some(({ short }) => short === 'refusing reports')
  ) {
    warn(
      'errors',
      'Requests were answered with an error of this replica (5xx).',
      `${number(grown('answers_failed'))} in the last minute.`,
    );
  }
  if (state.degraded && troubles.length === 0) warn('degraded', `This replica is degraded: ${state.reason}.`);
  return troubles;
}
