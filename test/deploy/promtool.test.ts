/** What Prometheus's own tool says of the rules, of their tests, of the configuration and of a replica's metrics. */
import { parse } from 'yaml';
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess } from '../support/replica-process';
import { Program, describeWith } from './programs';
import { projectPath, readAlerts, readText } from './project-files';

const promtool = new Program('promtool', [], ['--version']);
/** The alerts, and their tests. */
const RULES = [
  ['deploy/prometheus/alerts.yaml', 'test/deploy/alerts.promtool.yaml'],
  ['deploy/nats/cluster/alerts/alerts.yaml', 'test/deploy/nats-alerts.promtool.yaml'],
] as const;

/** Names that dashboards of the service's users rely on, or that prom-client gives. */
const KEPT_NAMES = new Set([
  'http_request_duration_us',
  'model_engine_count',
  'replication_latency_ms',
  'metacenter_clock_difference_ms',
  'metacenter_clock_ahead_ms',
  'metacenter_history_replay_duration_ms',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]);

describeWith(promtool, 'promtool (Debian package "prometheus")')('promtool', () => {
  const cleanUp = new CleanUp();

  afterEach(() => cleanUp.run());

  it.each(RULES)('accepts %s', (alerts) => {
    const { status, output } = promtool.run(['check', 'rules', projectPath(alerts)]);
    expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') as string });
  });

  it.each(RULES)('finds that each alert of %s fires when it should, and only then', (_alerts, tests) => {
    const { status, output } = promtool.run(['test', 'rules', projectPath(tests)]);
    expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') as string });
  });

  it('accepts the configuration of Prometheus', () => {
    const path = projectPath('deploy/prometheus/prometheus.yml');
    const { status, output } = promtool.run(['check', 'config', '--syntax-only', path]);
    expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') as string });
  });

  it('has nothing against the metrics of a replica but the names that are kept on purpose', async () => {
    const replica = await cleanUp.use(ReplicaProcess.start(), (it) => it.kill());
    const report = { cluster: 'c', request_id: 'r', ip: '10.0.0.1' };
    await fetch(`${replica.url}/v1/load/stats`, { method: 'POST', body: JSON.stringify(report) });
    const metrics = await (await fetch(`${replica.url}/metrics`)).text();
    const complaints = promtool.run(['check', 'metrics'], metrics).output.split('\n').filter(Boolean);
    expect(complaints.filter((line) => !KEPT_NAMES.has(line.split(' ')[0]!))).toEqual([]);
  });
});

describe('the tests of the alerts', () => {
  it.each(RULES)('expect each alert of %s to fire at least once', (alerts, tests) => {
    const tested = JSON.stringify(parse(readText(tests)));
    const untested = readAlerts(alerts).filter(({ alert }) => !tested.includes(`alertname=\\"${alert}\\"`));
    expect(untested.map(({ alert }) => alert)).toEqual([]);
  });
});
