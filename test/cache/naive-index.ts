/**
 * The oracle of the prefix cache: what a set of events means, worked out from all of them at once and in no order. It shares no
 * code with the index.
 */
export interface Save {
  readonly kind: 'save';
  readonly cluster: string;
  readonly ip: string;
  readonly hashes: readonly bigint[];
  readonly timeUs: number;
}
export interface Clear {
  readonly kind: 'clear';
  readonly cluster: string | undefined;
  readonly ip: string;
  readonly timeUs: number;
}
export type Happening = Save | Clear;

export interface NaiveOptions {
  readonly ttlUs: number;
  readonly maxEntries: number;
  readonly bucketUs: number;
  readonly maxEngines: number;
}

interface Entry {
  readonly cluster: string;
  readonly hash: bigint;
  readonly ip: string;
  timeUs: number;
}

export class NaiveIndex {
  readonly horizonUs: number;
  readonly size: number;
  private readonly entries: readonly Entry[];

  constructor(
    private readonly events: readonly Happening[],
    private readonly nowUs: number,
    private readonly options: NaiveOptions,
  ) {
    const { ttlUs, maxEntries, bucketUs, maxEngines } = options;
    const newest = new Map<string, Entry>();
    for (const event of events) {
      if (event.kind === 'clear') continue;
      const { cluster, ip, timeUs } = event;
      for (const hash of event.hashes) {
        const key = `${cluster} ${hash} ${ip}`;
        const entry = newest.get(key);
        if (entry === undefined) newest.set(key, { cluster, hash, ip, timeUs });
        else entry.timeUs = Math.max(entry.timeUs, timeUs);
      }
    }
    const entries = [...newest.values()].filter((entry) => {
      const rivals = [...newest.values()].filter(
        (other) => other.cluster === entry.cluster && other.hash === entry.hash && comesBefore(other, entry),
      );
      return rivals.length < maxEngines;
    });
    let gone = Math.floor((nowUs - ttlUs + 1) / bucketUs) - 1;
    const left = (): Entry[] => entries.filter(({ timeUs }) => Math.floor(timeUs / bucketUs) > gone);
    while (left().length > maxEntries)
      gone = Math.min(...left().map(({ timeUs }) => Math.floor(timeUs / bucketUs)));
    this.horizonUs = (gone + 1) * bucketUs - 1;
    this.entries = left();
    this.size = this.entries.length;
  }

  locations(cluster: string, hashes: readonly bigint[], most: number): { ip: string; length: number }[] {
    const longest = new Map<string, number>();
    hashes.forEach((hash, i) => {
      for (const entry of this.entries) {
        if (entry.cluster === cluster && entry.hash === hash && this.counts(entry))
          longest.set(entry.ip, i + 1);
      }
    });
    return Array.from(longest, ([ip, length]) => ({ ip, length }))
      .sort((a, b) => b.length - a.length || (padded(a.ip) < padded(b.ip) ? -1 : 1))
      .slice(0, most);
  }

  private counts({ cluster, ip, timeUs }: Entry): boolean {
    if (timeUs + this.options.ttlUs <= this.nowUs) return false;
    return !this.events.some(
      (event) =>
        event.kind === 'clear' &&
        event.ip === ip &&
        (event.cluster === undefined || event.cluster === cluster) &&
        event.timeUs >= timeUs,
    );
  }
}

/** The newer one; of equals that of the lower address. */
function comesBefore(a: Entry, b: Entry): boolean {
  return a.timeUs > b.timeUs || (a.timeUs === b.timeUs && padded(a.ip) < padded(b.ip));
}

function padded(ip: string): string {
  return ip.replace(/\d+/g, (part) => part.padStart(3, '0'));
}
