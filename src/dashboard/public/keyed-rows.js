/**
 * A table body whose rows come and change by key. Work is done once per frame at most, for the rows that changed; the
 * order follows slowly and never under the reader's hand, so that a busy table stays calm.
 */
const REORDER_MS = 2_000;
/** Of the rows out of sight, so many are brought up to date with each frame that has something to draw. */
const LAZY_ROWS = 50;

export class KeyedRows {
  /** `create` makes `{ tr, focus, update(row) }` for a key, where `focus` is what the arrow keys move between. */
  constructor(body, { create, compare, matches = () => true, onRender = () => {} }) {
    this.body = body;
    this.create = create;
    this.compare = compare;
    this.matches = matches;
    this.onRender = onRender;
    this.rows = new Map();
    this.views = new Map();
    this.dirty = new Set();
    this.orderedAt = -Infinity;
    this.sight = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: '300px' });
    body.addEventListener('keydown', (event) => this.move(event));
  }

  /** An event of the stream: all rows, or changed and removed ones. */
  take(whole, rows, removed, keyOf) {
    if (whole) {
      const keys = new Set(rows.map(keyOf));
      for (const key of this.rows.keys()) if (!keys.has(key)) this.remove(key);
    }
    for (const key of removed) this.remove(key);
    for (const row of rows) {
      const key = keyOf(row);
      if (!this.rows.has(key)) this.orderedAt = -Infinity;
      this.rows.set(key, row);
      this.dirty.add(key);
    }
    this.schedule();
  }

  clear() {
    for (const key of [...this.rows.keys()]) this.remove(key);
  }

  /** After a change of filter or order. */
  reorder() {
    this.orderedAt = -Infinity;
    this.schedule();
  }

  remove(key) {
    this.rows.delete(key);
    this.dirty.delete(key);
    const view = this.views.get(key);
    if (view) {
      this.sight.unobserve(view.tr);
      view.tr.remove();
      this.views.delete(key);
    }
    this.schedule();
  }

  /** All rows are written anew, for a new scale. */
  touchAll() {
    for (const key of this.rows.keys()) this.dirty.add(key);
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.render();
    });
  }

  render() {
    this.onRender();
    let lazy = LAZY_ROWS;
    for (const key of this.dirty) {
      let view = this.views.get(key);
      if (!view) {
        view = this.create(key);
        view.tr.dataset.key = key;
        this.views.set(key, view);
        this.sight.observe(view.tr);
      } else if (!view.visible && lazy-- <= 0) {
        continue;
      }
      view.update(this.rows.get(key));
      this.dirty.delete(key);
    }
    const now = performance.now();
    const held =
      this.orderedAt > 0 && (this.body.matches(':hover') || this.body.contains(document.activeElement));
    if (held || now - this.orderedAt < REORDER_MS) return;
    this.orderedAt = now;
    this.arrange();
  }

  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const view = this.views.get(target.dataset.key);
      if (view) view.visible = isIntersecting;
    }
    this.schedule();
  }

  arrange() {
    const rows = [...this.rows].filter(([, row]) => this.matches(row));
    rows.sort(([, a], [, b]) => this.compare(a, b));
    let next = this.body.firstElementChild;
    for (const [key] of rows) {
      const { tr } = this.views.get(key);
      if (tr === next) next = next.nextElementSibling;
      else this.body.insertBefore(tr, next);
    }
    while (next) {
      const after = next.nextElementSibling;
      next.remove();
      next = after;
    }
    this.shown = rows.length;
    this.makeReachable();
  }

  /** One row at a time is reached by Tab, else a thousand engines would be a thousand stops. */
  makeReachable() {
    const current = this.body.querySelector('[tabindex="0"]') ?? this.focusOf(this.body.firstElementChild);
    if (current) current.tabIndex = 0;
  }

  focusOf(tr) {
    return tr && this.views.get(tr.dataset.key)?.focus;
  }

  move(event) {
    const tr = event.target.closest('tr');
    const all = [...this.body.children];
    const at = all.indexOf(tr);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: all.length - 1,
      PageDown: at + 15,
      PageUp: at - 15,
    }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const target = this.focusOf(all[Math.max(0, Math.min(to, all.length - 1))]);
    event.target.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }
}
