/** All clusters with their sums; each is a link, so that a cluster can be bookmarked. */
import { clock, element, number, setText, short } from './cells.js';
import { KeyedRows } from './keyed-rows.js';

export const linkTo = (cluster) => `#cluster=${encodeURIComponent(cluster)}`;

export class Clusters {
  constructor() {
    this.table = new KeyedRows(document.getElementById('cluster-rows'), {
      create: (cluster) => this.createRow(cluster),
      held: document.getElementById('clusters-held'),
      compare: (a, b) => b.queued_req_num - a.queued_req_num || (a.cluster < b.cluster ? -1 : 1),
    });
  }

  get rows() {
    return this.table.rows;
  }

  take(name, { rows, removed }) {
    this.table.take(name === 'rows', rows, removed, (row) => row.cluster);
    const { size } = this.rows;
    setText(document.getElementById('cluster-count'), size > 0 ? number(size) : '');
  }

  select(cluster) {
    this.selected = cluster;
    for (const [name, view] of this.table.views) mark(view, name === cluster);
  }

  createRow(cluster) {
    const link = element('a', { href: linkTo(cluster), textContent: cluster, tabIndex: -1 });
    const [engines, queued, prompt, time] = [1, 2, 3, 4].map(() => element('td', { className: 'number' }));
    const tr = element('tr', {}, element('th', { scope: 'row' }, link), engines, queued, prompt, time);
    const view = { tr, focus: link };
    mark(view, cluster === this.selected);
    view.update = (row) => {
      setText(engines, number(row.engines));
      setText(queued, short(row.queued_req_num));
      setText(prompt, short(row.prompt_length));
      setText(time, clock(row.updated_time / 1e6));
    };
    return view;
  }
}

function mark({ tr, focus }, on) {
  tr.classList.toggle('selected', on);
  if (on) focus.setAttribute('aria-current', 'true');
  else focus.removeAttribute('aria-current');
}
