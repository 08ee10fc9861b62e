/** The engines of the selected cluster: their rows by load or by address, and which of them the charts show. */
import { clock, element, loadCell, number, scaleFor, setText } from './cells.js';
import { KeyedRows } from './keyed-rows.js';

const addresses = new Map();

function addressOf(ip) {
  let address = addresses.get(ip);
  if (address === undefined) {
    address = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    addresses.set(ip, address);
  }
  return address;
}

const byAddress = (a, b) => addressOf(a.ip) - addressOf(b.ip);
const byLoad = (a, b) =>
  b.queued_req_num - a.queued_req_num || b.prompt_length - a.prompt_length || byAddress(a, b);

export class Engines {
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.scale = { queued: 0, prompt: 0 };
    this.filter = '';
    this.table = new KeyedRows(document.getElementById('engine-rows'), {
      create: (ip) => this.createRow(ip),
      compare: byLoad,
      matches: (row) => row.ip.includes(this.filter),
      held: document.getElementById('engines-held'),
      onRender: () => this.rescale(),
    });
    document.getElementById('filter').addEventListener('input', (event) => {
      this.filter = event.target.value.trim();
      this.table.reorder();
    });
    for (const radio of document.querySelectorAll('input[name="order"]')) {
      radio.addEventListener('change', () => {
        this.table.compare = radio.value === 'load' ? byLoad : byAddress;
        this.table.reorder();
      });
    }
    setInterval(() => this.showCount(), 500);
  }

  get rows() {
    return this.table.rows;
  }

  take(name, { rows, removed }) {
    this.table.take(name === 'rows', rows, removed, (row) => row.ip);
    if (this.selected !== undefined && !this.rows.has(this.selected)) this.select(undefined);
  }

  clear() {
    this.select(undefined);
    this.scale = { queued: 0, prompt: 0 };
    this.table.clear();
  }

  select(ip) {
    this.mark(this.selected, false);
    this.selected = ip === this.selected ? undefined : ip;
    this.mark(this.selected, true);
    this.onSelect(this.selected);
  }

  mark(ip, on) {
    const view = this.table.views.get(ip);
    if (!view) return;
    view.tr.classList.toggle('selected', on);
    view.focus.setAttribute('aria-pressed', String(on));
  }

  rescale() {
    let queued = 0;
    let prompt = 0;
    for (const row of this.table.shownRows.values()) {
      queued = Math.max(queued, row.queued_req_num);
      prompt = Math.max(prompt, row.prompt_length);
    }
    const next = { queued: scaleFor(queued, this.scale.queued), prompt: scaleFor(prompt, this.scale.prompt) };
    if (next.queued !== this.scale.queued || next.prompt !== this.scale.prompt) this.table.touchAll();
    this.scale = next;
  }

  createRow(ip) {
    const button = element('button', {
      type: 'button',
      tabIndex: -1,
      textContent: ip,
      onclick: () => this.select(ip),
    });
    button.setAttribute('aria-pressed', 'false');
    const queued = loadCell('queued');
    const prefill = element('div', { className: 'prefill' });
    const prompt = loadCell('prompt');
    const time = element('div', { className: 'time' });
    const name = element('th', { scope: 'row' }, button);
    const tr = element(
      'tr',
      {},
      name,
      queued.cell,
      element('td', {}, prefill),
      prompt.cell,
      element('td', {}, time),
    );
    const update = (row) => {
      queued.set(row.queued_req_num, this.scale.queued);
      setText(prefill, number(row.prefill_req_num));
      prompt.set(row.prompt_length, this.scale.prompt);
      setText(time, clock(row.updated_time / 1e6));
      tr.classList.toggle('idle', row.queued_req_num === 0 && row.prompt_length === 0);
    };
    return { tr, focus: button, update };
  }

  showCount() {
    const { size } = this.rows;
    const shown = this.table.shown ?? 0;
    const text = size === 0 ? '' : shown === size ? `${size} engines` : `${shown} of ${size} engines`;
    setText(document.getElementById('shown'), text);
  }
}
