/**
 * How many requests were answered, with what and how fast, by route. Counted in plain numbers and turned into
 * Prometheus samples when scraped: a labelled `inc()` and `observe()` take half a microsecond of each request.
 */
import { Counter, type Registry } from 'prom-client';
import { PlainHistogram, registerHistogram, type Sample } from './plain-histogram';

/** 500, 1000 and 2000 are what existing dashboards use. */
const BUCKETS_US = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000];

/** The label of whatever matched no route: a raw URL as label value would let callers grow the metrics without bound. */
const UNMATCHED = 'unmatched';
const METHODS = new Set(['GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PUT', 'PATCH']);
const OTHER_METHOD = 'other';

const DURATION = 'http_request_duration_us';

/** What gateways ask before they route. */
const QUERIES: Readonly<Record<string, string>> = { '/v1/load/stats': 'GET', '/v1/load/select': 'POST' };

export interface AnswerTotals {
  /** Answered 200: rows of a cluster, and selects. */
  queries: number;
  /** Answered 400 to 499, and 500 or more; without scrapes and probes. */
  refused: number;
  failed: number;
}

/** Routes that monitoring asks for: what callers do is the others. Panels of request rates leave these out. */
export const SCRAPES_AND_PROBES = ['/metrics', '/healthz', '/readyz'];
const WHICH_ROUTES = `${SCRAPES_AND_PROBES.join(', ')} are scrapes and probes`;

class Cell {
  readonly countByStatus = new Map<number, number>();
  readonly durations = new PlainHistogram(BUCKETS_US);

  add(status: number, durationUs: number): void {
    this.countByStatus.set(status, (this.countByStatus.get(status) ?? 0) + 1);
    this.durations.observe(durationUs);
  }
}

export class HttpMetrics {
  private readonly cells = new Map<string, Map<string, Cell>>();

  constructor(registry: Registry) {
    const eachCell = (visit: (url: string, method: string, cell: Cell) => void): void => this.eachCell(visit);
    new Counter({
      name: 'http_request_status_code_total',
      help: `Answers by route, method and status code; ${WHICH_ROUTES}`,
      labelNames: ['url', 'method', 'status_code'],
      registers: [registry],
      collect() {
        this.reset();
        eachCell((url, method, cell) => {
          for (const [status, count] of cell.countByStatus)
            this.inc({ url, method, status_code: status }, count);
        });
      },
    });
    registerHistogram(
      registry,
      DURATION,
      `Time from a request's headers to its answer, in microseconds; ${WHICH_ROUTES}`,
      () => this.durationSamples(),
    );
  }

  /** `route` is the pattern that matched, undefined where none did; never anything that the caller chose. */
  count(route: string | undefined, method: string | undefined, status: number, durationUs: number): void {
    this.cell(route ?? UNMATCHED, method !== undefined && METHODS.has(method) ? method : OTHER_METHOD).add(
      status,
      durationUs,
    );
  }

  /** Since the start, for whoever makes rates of them. */
  totals(): AnswerTotals {
    const totals = { queries: 0, refused: 0, failed: 0 };
    this.eachCell((url, method, { countByStatus }) => {
      if (SCRAPES_AND_PROBES.includes(url)) return;
      for (const [status, count] of countByStatus) {
        if (status >= 500) totals.failed += count;
        else if (status >= 400) totals.refused += count;
        else if (QUERIES[url] === method) totals.queries += count;
      }
    });
    return totals;
  }

  private cell(url: string, method: string): Cell {
    let byMethod = this.cells.get(url);
    if (byMethod === undefined) this.cells.set(url, (byMethod = new Map<string, Cell>()));
    let cell = byMethod.get(method);
    if (cell === undefined) byMethod.set(method, (cell = new Cell()));
    return cell;
  }

  private eachCell(visit: (url: string, method: string, cell: Cell) => void): void {
    for (const [url, byMethod] of this.cells) for (const [method, cell] of byMethod) visit(url, method, cell);
  }

  private durationSamples(): Sample[] {
    const samples: Sample[] = [];
    this.eachCell((url, method, { durations }) =>
      samples.push(...durations.samples(DURATION, { method, url })),
    );
    return samples;
  }
}
