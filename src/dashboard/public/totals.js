/** The figures over everything, for a first look in an incident. */
import { element, number, rate, setText, short } from './cells.js';
import { limitName } from './troubles.js';

export class Totals {
  constructor() {
    this.list = document.getElementById('totals');
    this.values = new Map();
  }

  take(state, before, clusters) {
    let queued = 0;
    let prompt = 0;
    for (const row of clusters.values()) {
      queued += row.queued_req_num;
      prompt += row.prompt_length;
    }
    const seconds = (state.time_us - before.time_us) / 1e6;
    const grown = (...names) =>
      names.reduce((sum, name) => sum + state.totals[name] - before.totals[name], 0) / seconds;
    const perSecond = (...names) => (seconds > 0 ? `${rate(grown(...names))} /s` : '–');
    const failing = (name) => seconds > 0 && grown(name) > 0;
    this.figure('Queued requests', number(queued));
    this.figure('Prompt tokens waiting', short(prompt));
    this.figure('Engines', number(state.engines));
    this.figure('Reports, all replicas', perSecond('events_own', 'events_received'));
    this.figure('Queries here', perSecond('queries'));
    this.figure('Refused here (4xx)', perSecond('answers_refused'));
    this.figure('Errors here (5xx)', perSecond('answers_failed'), failing('answers_failed'));
    const fullest = state.limit_use.reduce((a, b) => (b.use / b.most > a.use / a.most ? b : a));
    const share = fullest.use / fullest.most;
    const text =
      share < 0.01 ? 'all below 1 %' : `${Math.floor(100 * share)} % of ${limitName(fullest.name)}`;
    this.figure('Fullest limit', text, share >= 0.8);
  }

  figure(name, text, warn = false) {
    let value = this.values.get(name);
    if (!value) {
      value = element('dd');
      this.values.set(name, value);
      this.list.append(element('div', {}, element('dt', { textContent: name }), value));
    }
    setText(value, text);
    value.classList.toggle('warn', warn);
    value.classList.toggle('long', text.length > 12);
  }
}
