/** Reads out of a PromQL expression which metrics it names and by which labels: as much of the grammar as that takes. */

const KEYWORDS = new Set(
  'and or unless on ignoring group_left group_right by without offset bool start end inf nan'.split(' '),
);
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/g;

export interface Reference {
  readonly metric: string;
  /** Named in the selector. */
  readonly labels: readonly string[];
}

export function references(expression: string): Reference[] {
  const bare = expression
    .replace(/"(?:\\.|[^"\\])*"/g, '""')
    // Durations and numbers, and the label lists of aggregations and matchings, are no metrics.
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\boffset\s+-?\w+/g, '');
  const found: Reference[] = [];
  const selectors = bare.replace(/\{[^}]*\}/g, (text) => ' '.repeat(text.length));
  for (const match of selectors.matchAll(NAME)) {
    const after = bare.slice(match.index + match[0].length);
    if (KEYWORDS.has(match[0].toLowerCase()) || /^\s*\(/.test(after) || precededByDigit(bare, match.index))
      continue;
    const selector = /^\s*\{([^}]*)\}/.exec(after)?.[1] ?? '';
    found.push({
      metric: match[0],
      labels: [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, name]) => name!),
    });
  }
  return found;
}

/** `label_values(metric, label)` is Grafana's, for its variables. */
export function labelValuesReference(definition: string): Reference {
  const [, selector, label] = /^label_values\((.+),\s*(\w+)\)$/.exec(definition) ?? [];
  const [reference] = references(selector ?? '');
  if (reference === undefined || label === undefined) throw new Error(`not label_values: ${definition}`);
  return { metric: reference.metric, labels: [...reference.labels, label] };
}

const precededByDigit = (text: string, index: number): boolean => /[0-9.]/.test(text[index - 1] ?? '');
