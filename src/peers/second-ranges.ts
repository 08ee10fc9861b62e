/**
 * Sets of seconds in the query of a snapshot: `100-105,110`.
 */

/**
 * Seconds that a comparison covers, or that one request names, at the most: E and R are a day each where they are longest,
 * and clocks may differ.
 */
export const MAX_SECONDS = 400_000;

export function writeRanges(seconds: readonly number[]): string {
  const sorted = [...seconds].sort((a, b) => a - b);
  const ranges: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    ranges.push(end === i ? String(sorted[i]) : `${sorted[i]!}-${sorted[end]!}`);
    i = end + 1;
  }
  return ranges.join();
}

/** Undefined when the text is not a list of ranges, or names too many seconds. */
export function readRanges(text: string): number[] | undefined {
  const seconds: number[] = [];
  if (text === '') return seconds;
  for (const range of text.split(',')) {
    const match = /^(\d{1,12})(?:-(\d{1,12}))?$/.exec(range);
    if (!match) return undefined;
    const from = Number(match[1]);
    const to = Number(match[2] ?? from);
    if (to < from || seconds.length + (to - from) >= MAX_SECONDS) return undefined;
    for (let second = from; second <= to; second++) seconds.push(second);
  }
  return seconds;
}
