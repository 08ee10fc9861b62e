/** The gateways' processes that hold requests of the selected cluster: fetched only while somebody looks, the dead ones first. */
import { clock, element, number, setText } from './cells.js';

const EVERY_MS = 2_000;
/** More than anybody reads. */
const MOST = 200;

const byStanding = (a, b) =>
  Number(a.alive) - Number(b.alive) || b.in_flight - a.in_flight || (a.owner < b.owner ? -1 : 1);

export class Owners {
  constructor(headers) {
    this.headers = headers;
    this.details = document.getElementById('owners');
    this.details.addEventListener('toggle', () => this.look());
    setInterval(() => this.look(), EVERY_MS);
  }

  select(cluster) {
    this.cluster = cluster;
    this.show([]);
    this.look();
  }

  async look() {
    const { cluster } = this;
    if (!this.details.open || document.hidden || cluster === undefined) return;
    try {
      const url = `/v1/load/owners?cluster=${encodeURIComponent(cluster)}`;
      const response = await fetch(url, { headers: this.headers(), signal: AbortSignal.timeout(EVERY_MS) });
      const { data } = await response.json();
      if (response.ok && cluster === this.cluster) this.show(data);
    } catch {
      // The streams say that the replica does not answer.
    }
  }

  show(owners) {
    const dead = owners.filter(({ alive }) => !alive).length;
    setText(
      document.getElementById('owner-count'),
      owners.length === 0
        ? 'No process of a gateway that says who it is holds requests here.'
        : `${number(owners.length)} processes, ${number(dead)} of them dead${owners.length > MOST ? `; the first ${MOST} are shown` : ''}`,
    );
    const rows = owners.sort(byStanding).slice(0, MOST);
    document.getElementById('owner-rows').replaceChildren(...rows.map(rowOf));
  }
}

function rowOf({ owner, in_flight, alive, renewed_time }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row', textContent: owner }),
    element('td', { className: alive ? '' : 'warn', textContent: alive ? 'alive' : 'dead' }),
    element('td', { className: 'number', textContent: number(in_flight) }),
    element('td', { className: 'number', textContent: clock(renewed_time / 1e6) }),
  );
}
