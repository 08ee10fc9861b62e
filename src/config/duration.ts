/** Durations as operators write them: `500ms`, `5s`, `10m`, `1h30m`. */

const FORM = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Milliseconds, or undefined for what is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = FORM.exec(text);
  if (match === null || text === '') return undefined;
  const [hours, minutes, seconds, milliseconds] = match
    .slice(1)
    .map((digits: string | undefined) => Number(digits ?? 0));
  const ms = hours! * 3_600_000 + minutes! * 60_000 + seconds! * 1_000 + milliseconds!;
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest way to write it; `parseDurationMs` reads it back. */
export function formatDurationMs(ms: number): string {
  const parts: [number, string][] = [
    [Math.floor(ms / 3_600_000), 'h'],
    [Math.floor(ms / 60_000) % 60, 'm'],
    [Math.floor(ms / 1_000) % 60, 's'],
    [ms % 1_000, 'ms'],
  ];
  const text = parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
  return text === '' ? '0s' : text;
}
