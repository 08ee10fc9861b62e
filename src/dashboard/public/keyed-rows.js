/**
 * A table body whose rows come and change by key. What has changed is shown once a beat, values
 * and order together, so that a busy table stays calm and is always in order. Under the reader's hand the order is held,
 * and the page says so.
 */
const BEAT_MS = 1_000;
/** To put so many rows in order is work, and nobody can follow them faster. */
const LARGE = { rows: 300, beatMs: 2_000 };
/** Of the rows out of sight, so many are brought up to date with each frame that has something to draw. */
const LAZY_ROWS = 50;

export class KeyedRows {
  /** `create` makes `{ tr, focus, update(row) }` for a key, where `focus` is what the arrow keys move between. */
  constructor(body, { create, compare, held, matches = () => true, onRender = () => {} }) {
    this.body = body;
    this.create = create;
    this.compare = compare;
    this.matches = matches;
    this.onRender = onRender;
    this.heldNote = held;
    this.rows = new Map();
    /** As of the last beat. */
    this.shownRows = new Map();
    this.changed = new Set();
    this.views = new Map();
    this.dirty = new Set();
    this.beatAt = -Infinity;
    this.sight = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: '300px' });
    body.addEventListener('keydown', (event) => this.move(event));
    for (const kind of ['mouseenter', 'mouseleave', 'focusin', 'focusout'])
      body.addEventListener(kind, () => this.schedule());
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
      if (!this.rows.has(key)) this.beatAt = -Infinity;
      this.rows.set(key, row);
      this.changed.add(key);
    }
    this.schedule();
  }

  clear() {
    for (const key of [...this.rows.keys()]) this.remove(key);
  }

  /** After a change of filter or order. */
  reorder() {
    this.beatAt = -Infinity;
    this.schedule();
  }

  remove(key) {
    this.rows.delete(key);
    this.shownRows.delete(key);
    this.dirty.delete(key);
    this.changed.delete(key);
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
    for (const key of this.shownRows.keys()) this.dirty.add(key);
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.render();
    });
  }

  render() {
    const now = performance.now();
    const forced = this.beatAt === -Infinity;
    const leftMs = this.beatAt + (this.rows.size > LARGE.rows ? LARGE.beatMs : BEAT_MS) - now;
    if (leftMs <= 0) {
      this.beatAt = now;
      for (const key of this.changed) {
        this.shownRows.set(key, this.rows.get(key));
        this.dirty.add(key);
      }
      this.outOfOrder ||= forced || this.changed.size > 0;
      this.changed.clear();
    } else if (this.changed.size > 0) {
      this.beat ??= setTimeout(() => {
        this.beat = undefined;
        this.schedule();
      }, leftMs);
    }
    this.onRender();
    this.update();
    const held =
      this.shown > 0 && (this.body.matches(':hover') || this.body.contains(document.activeElement));
    this.heldNote.hidden = !held;
    if (!this.outOfOrder || (held && !forced)) return;
    this.outOfOrder = false;
    this.arrange();
  }

  update() {
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
      view.update(this.shownRows.get(key));
      this.dirty.delete(key);
    }
  }

  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const view = this.views.get(target.dataset.key);
      if (view) view.visible = isIntersecting;
    }
    this.schedule();
  }

  arrange() {
    const rows = [...this.shownRows].filter(([, row]) => this.matches(row));
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
