/**
 * Alerts and dashboards are only worth what their queries find: every metric and label that they name must be on the
 * /metrics of a replica that runs.
 */
import { SCRAPES_AND_PROBES } from '../../src/observability/http-metrics';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { readExposition, type Exposition } from './exposition';
import { readAlerts, readDashboards } from './project-files';
import { labelValuesReference, references, type Reference } from './promql';

/** What Prometheus itself adds to every series, or makes. */
const FROM_PROMETHEUS = { metrics: new Set(['up']), labels: new Set(['namespace', 'job', 'instance']) };

describe('alerts and dashboards', () => {
  const cleanUp = new CleanUp();
  let exposition: Exposition;

  beforeAll(async () => {
    const nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
    const env = { NATS_URL: nats.url, META_DATA_CENTER_SVC_DISC_HOST: 'localhost', POD_IP: '127.0.0.2' };
    const start = (): Promise<ReplicaProcess> =>
      cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
    const [first, second] = [await start(), await start()];
    const report = { cluster: 'c', request_id: 'r', ip: '10.0.0.1', prompt_length: 5 };
    await fetch(`${second.url}/v1/load/stats`, { method: 'POST', body: JSON.stringify(report) });
    const arrived = async (): Promise<boolean> =>
      (await (await fetch(`${first.url}/v1/load/stats?cluster=c`)).text()).includes('10.0.0.1');
    await until(arrived, { describe: 'the report at the other replica' });
    exposition = readExposition(await (await fetch(`${first.url}/metrics`)).text());
  });

  afterAll(() => cleanUp.run());

  const unknownOf = (all: readonly Reference[]): string[] =>
    all.flatMap(({ metric, labels }) => {
      if (FROM_PROMETHEUS.metrics.has(metric)) return [];
      if (!exposition.names.has(metric)) return [metric];
      const known = exposition.labels.get(metric);
      // Counters by kind or reason have no series before they count something.
      if (known === undefined) return [];
      return labels
        .filter((label) => !known.has(label) && !FROM_PROMETHEUS.labels.has(label))
        .map((label) => `${metric}{${label}}`);
    });

  it.each(readAlerts().map(({ alert, expr }) => [alert, expr]))(
    '%s asks for metrics that exist',
    (_alert, expr) => {
      const asked = references(expr);
      expect(asked).not.toEqual([]);
      expect(unknownOf(asked)).toEqual([]);
    },
  );

  for (const [name, { panels, templating }] of readDashboards()) {
    const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr]));

    it.each(queries)(`${name}: "%s" asks for metrics that exist`, (_title, expr) => {
      const asked = references(expr);
      expect(asked).not.toEqual([]);
      expect(unknownOf(asked)).toEqual([]);
    });

    it(`${name}: the panel of the request rate leaves out scrapes and probes, and nothing else`, () => {
      const [expr] = queries.find(([title]) => title === 'Requests by route')!.slice(1);
      const left = /url!~"([^"]*)"/.exec(expr!)?.[1]?.split('|');
      expect(left).toEqual(SCRAPES_AND_PROBES);
    });

    it(`${name}: variables ask for metrics that exist`, () => {
      const definitions = templating.list.flatMap(({ definition }) => definition ?? []);
      expect(definitions).not.toEqual([]);
      expect(unknownOf(definitions.map(labelValuesReference))).toEqual([]);
    });
  }
});
