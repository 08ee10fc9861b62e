/** The small pieces of tables: elements, numbers, times, bars. */
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export const number = (value) => whole.format(value);
export const short = (value) => (value < 10_000 ? whole.format(value) : compact.format(value));
export const rate = (value) => (value < 10 ? value.toFixed(1) : short(Math.round(value)));

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function clock(ms) {
  const time = new Date(ms);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** A number with a bar. The bar says nothing that the number does not, so it is not read out. */
export function loadCell(kind) {
  const text = element('span');
  const bar = element('div', { className: `bar ${kind}` });
  bar.setAttribute('aria-hidden', 'true');
  const cell = element('td', {}, element('div', { className: 'load' }, text, bar));
  return {
    cell,
    set(value, scale) {
      setText(text, value < 10_000_000 ? number(value) : short(value));
      bar.style.transform = `scaleX(${scale > 0 ? Math.min(1, value / scale).toFixed(4) : 0})`;
    },
  };
}

/** The end of a scale: 1, 2 or 5 times a power of ten; shrinks only when it is far too long, so that bars hold still. */
export function scaleFor(largest, current) {
  if (largest <= current && largest > current / 5) return current;
  if (largest === 0) return current;
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= largest);
}
