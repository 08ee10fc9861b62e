/** The Kubernetes files: they render, are what the API knows, and fit each other and the service. */
import { runInNewContext } from 'node:vm';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/config';
import { schemaErrors, typeErrors, type KubernetesObject } from './kubernetes-types';
import { findKustomize } from './kustomize';
import { describeWith } from './programs';
import { projectPath, readText } from './project-files';

const kustomize = findKustomize();

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: unknown;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly replicas: number;
    readonly strategy: unknown;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly [Container];
        readonly terminationGracePeriodSeconds?: number;
        readonly securityContext: unknown;
      };
    };
  };
}

interface Service extends KubernetesObject {
  readonly spec: {
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
  };
}

interface ServiceMonitor extends KubernetesObject {
  readonly spec: {
    readonly jobLabel: string;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly endpoints: readonly { readonly port: string; readonly path: string }[];
  };
}

function render(folder: string): readonly KubernetesObject[] {
  const { status, output } = kustomize!.run([projectPath(folder)]);
  if (status !== 0) throw new Error(output);
  return parseAllDocuments(output).map((document) => document.toJS() as KubernetesObject);
}

const contains = (
  all: Readonly<Record<string, string>> = {},
  some: Readonly<Record<string, string>>,
): boolean => Object.entries(some).every(([name, value]) => all[name] === value);

describeWith(kustomize, 'kustomize, nor a kubectl that has it')('deploy/kubernetes', () => {
  const everything = kustomize ? render('deploy/kubernetes/trial-monitored') : [];
  const base = kustomize ? render('deploy/kubernetes/base') : [];
  const find = (kind: string, name = 'metadata-center'): KubernetesObject | undefined =>
    everything.find((object) => object.kind === kind && object.metadata.name === name);
  const deployment = find('Deployment') as Deployment;
  const pod = deployment.spec.template;
  const [container] = pod.spec.containers;
  const services = everything.filter((object): object is Service => object.kind === 'Service');

  it('has what a cluster needs, and leaves trial nats and monitoring to components', () => {
    expect(base.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      'Deployment metadata-center',
      'NetworkPolicy metadata-center',
      'PodDisruptionBudget metadata-center',
      'Service metadata-center',
      'Service metadata-center-peers',
      'ServiceAccount metadata-center',
    ]);
    expect(everything.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['PrometheusRule', 'ServiceMonitor', 'ConfigMap', 'Namespace']),
    );
  });

  it('has a trial of kinds that every cluster knows, whose image is the one that it says to build and load', () => {
    const trial = render('deploy/kubernetes/trial');
    const foreign = trial.filter(({ apiVersion }) => /\.coreos\.com|cert-manager/.test(apiVersion));
    expect(foreign).toEqual([]);
    expect(trial.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['Namespace', 'Deployment']));
    const own = (
      trial.find(
        ({ metadata, kind }) => kind === 'Deployment' && metadata.name === 'metadata-center',
      ) as Deployment
    ).spec.template.spec.containers[0];
    for (const text of [
      readText('deploy/kubernetes/trial/kustomization.yaml'),
      readText('docs/operations.md'),
    ])
      for (const step of ['docker build -t', 'kind load docker-image', 'k3d image import'])
        expect(text).toContain(`${step} ${own.image}`);
  });

  it('labels what the Prometheus operator must find by the release of kube-prometheus-stack', () => {
    const monitoring = everything.filter(({ apiVersion }) => apiVersion.startsWith('monitoring.coreos.com/'));
    expect(monitoring.map(({ metadata }) => metadata.labels?.['release'])).toEqual([
      'kube-prometheus-stack',
      'kube-prometheus-stack',
    ]);
  });

  it('is made of objects that the API knows, field by field', () => {
    expect(typeErrors(everything)).toEqual([]);
    expect(schemaErrors(everything)).toEqual([]);
  });

  it('would not pass a field that the API does not know, nor a wrong value', () => {
    const service = services[0]!;
    expect(
      typeErrors([{ ...service, spec: { ...service.spec, clusterIp: 'None' } } as Service]),
    ).toHaveLength(1);
    const port = { ...service.spec.ports[0], port: 'http' };
    expect(
      schemaErrors([{ ...service, spec: { ...service.spec, ports: [port] } } as unknown as Service]),
    ).toHaveLength(1);
  });

  it('pins every image, the trial nats to the version of the compose file', () => {
    const images = everything
      .filter((object): object is Deployment => object.kind === 'Deployment')
      .flatMap(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
    expect(images).toEqual([
      expect.stringMatching(/^metadata-center:\d+\.\d+\.\d+$/),
      expect.stringMatching(/^nats:\d/),
    ]);
    for (const image of images) expect(readText('docker-compose.yml')).toContain(`image: ${image}\n`);
  });

  it('updates three replicas without a gap', () => {
    expect(deployment.spec.replicas).toBe(3);
    expect(deployment.spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
  });

  it('probes life at /healthz and traffic at /readyz', () => {
    const paths = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
      (probe) => probe.httpGet,
    );
    expect(paths).toEqual([
      { path: '/healthz', port: 'http' },
      { path: '/healthz', port: 'http' },
      { path: '/readyz', port: 'http' },
    ]);
  });

  it('waits for preStop and for a whole stop before it kills', () => {
    // By node, which is all that the image has.
    const [program, option, script] = container.lifecycle!.preStop.exec.command;
    expect([program, option]).toEqual(['node', '-e']);
    const delays: number[] = [];
    runInNewContext(script!, { setTimeout: (_run: () => void, ms: number) => delays.push(ms) });
    const stopWithinSeconds = 10;
    expect(delays).toEqual([5_000]);
    expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(delays[0]! / 1_000 + stopWithinSeconds);
  });

  it('gives replicas an environment that the service understands', () => {
    const env = Object.fromEntries(container.env!.map(({ name, value }) => [name, value ?? '10.0.0.1']));
    const config = parseConfig(env);
    expect(config.warnings).toEqual([]);
    expect(config.peers).toMatchObject({ dnsName: 'metadata-center-peers', ownAddress: '10.0.0.1' });
    expect(config.debug).toMatchObject({ host: '127.0.0.1' });
    expect(container.ports.map(({ containerPort }) => containerPort)).toEqual([
      config.http.port,
      config.debug!.port,
    ]);
  });

  it('lets replicas find each other, ready or not, and gateways only those that are', () => {
    const peers = find('Service', 'metadata-center-peers') as Service;
    expect(peers.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect((find('Service') as Service).spec.publishNotReadyAddresses).toBeUndefined();
  });

  it('has services that select pods, by ports that the pods have', () => {
    for (const { spec } of services) {
      const target = everything.find(
        (object) =>
          object.kind === 'Deployment' &&
          contains((object as Deployment).spec.template.metadata.labels, spec.selector),
      ) as Deployment;
      const names = target.spec.template.spec.containers[0].ports.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(spec.ports.map(({ targetPort }) => targetPort)));
    }
    expect(services).toHaveLength(3);
  });

  it('has no privileges anywhere', () => {
    for (const { spec } of everything.filter(
      (object): object is Deployment => object.kind === 'Deployment',
    )) {
      expect(spec.template.spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.template.spec.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  it('is scraped once per replica, under the job name that the alerts use', () => {
    const { jobLabel, selector, endpoints } = (find('ServiceMonitor') as ServiceMonitor).spec;
    const selected = services.filter(({ metadata }) => contains(metadata.labels, selector.matchLabels));
    expect(selected.map(({ metadata }) => metadata.name)).toEqual(['metadata-center-peers']);
    expect(selected[0]!.metadata.labels![jobLabel]).toBe('metadata-center');
    expect(selected[0]!.spec.ports.map(({ name }) => name)).toEqual(endpoints.map(({ port }) => port));
  });
});

describe.each(['deploy/prometheus', 'deploy/nats/cluster/alerts'])('%s/prometheus-rule.yaml', (folder) => {
  it('holds the alerts of alerts.yaml', () => {
    const inner = (path: string): unknown =>
      (parseAllDocuments(readText(path))[0]!.toJS() as { spec?: unknown }).spec;
    const alerts = parseAllDocuments(readText(`${folder}/alerts.yaml`))[0]!.toJS() as unknown;
    expect(inner(`${folder}/prometheus-rule.yaml`)).toEqual(alerts);
  });
});
