/** What a replica's /metrics offers, by the names that queries use. */

export interface Exposition {
  /** With the `_bucket`, `_sum` and `_count` of histograms. */
  readonly names: ReadonlySet<string>;
  /** Of each name that has a series: all labels seen. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

export function readExposition(text: string): Exposition {
  const names = new Set<string>();
  const labels = new Map<string, Set<string>>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (type === 'histogram') for (const suffix of ['_bucket', '_sum', '_count']) names.add(name! + suffix);
    else names.add(name!);
  }
  for (const [, name, list] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm)) {
    const seen = labels.get(name!) ?? new Set<string>();
    for (const [, label] of (list ?? '').matchAll(/(\w+)="(?:\\.|[^"\\])*"/g)) seen.add(label!);
    labels.set(name!, seen);
  }
  return { names, labels };
}
