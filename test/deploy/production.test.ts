/** deploy/kubernetes/production, built as docs/operations.md says: whatever one object of it names, another one is. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/config';
import { schemaErrors, typeErrors, type KubernetesObject } from './kubernetes-types';
import { findKustomize } from './kustomize';
import { describeWith } from './programs';
import { projectPath, readAlerts, readText } from './project-files';

type Labels = Readonly<Record<string, string>>;

interface KeyOf {
  readonly name: string;
  readonly key: string;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef?: KeyOf; readonly fieldRef?: unknown };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: unknown;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: {
    readonly secretName: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly emptyDir?: unknown;
}

interface Workload extends KubernetesObject {
  readonly spec: {
    readonly replicas: number;
    readonly serviceName?: string;
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly containers: readonly Container[];
        readonly volumes: readonly Volume[];
        readonly serviceAccountName?: string;
        readonly priorityClassName?: string;
        readonly securityContext: unknown;
        readonly topologySpreadConstraints: readonly { readonly labelSelector: { matchLabels: Labels } }[];
      };
    };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

/** The parts of the other kinds that name something, each where its kind has it. */
interface Other extends KubernetesObject {
  readonly data?: Labels;
  readonly spec?: {
    readonly selector?: Labels & { readonly matchLabels?: Labels };
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[];
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly ingress?: readonly PolicyRule[];
    readonly egress?: readonly PolicyRule[];
    readonly endpoints?: readonly { readonly port: string }[];
    readonly jobLabel?: string;
    readonly secretName?: string;
    readonly issuerRef?: { readonly kind: string; readonly name: string };
    readonly ca?: { readonly secretName: string };
    readonly dnsNames?: readonly string[];
    readonly groups?: unknown;
  };
}

interface PolicyRule {
  readonly from?: readonly { readonly podSelector?: { readonly matchLabels: Labels } }[];
  readonly to?: readonly { readonly podSelector?: { readonly matchLabels: Labels } }[];
  readonly ports: readonly { readonly port: string | number }[];
}

const kustomize = findKustomize();

/** Built in a copy, as whoever runs it would: `values` replaces some of values.yaml. */
function build(values: Readonly<Record<string, string | number>> = {}): readonly KubernetesObject[] {
  const folder = mkdtempSync(join(tmpdir(), 'production-'));
  try {
    cpSync(projectPath('deploy'), join(folder, 'deploy'), { recursive: true });
    const production = join(folder, 'deploy/kubernetes/production');
    rmSync(join(production, 'secrets'), { recursive: true, force: true });
    const secretsMissing = kustomize!.run([production]);
    if (secretsMissing.status === 0) throw new Error('it builds without its secrets');
    const path = join(production, 'values.yaml');
    let text = readFileSync(path, 'utf8');
    for (const [name, value] of Object.entries(values)) {
      text = text.replace(new RegExp(`^  ${name}: .*$`, 'm'), `  ${name}: ${value}`);
    }
    writeFileSync(path, text);
    execFileSync(join(production, 'make-secrets.sh'));
    if ((statSync(join(production, 'secrets/peer-token')).mode & 0o077) !== 0)
      throw new Error('secrets are open');
    const { status, output } = kustomize!.run([production]);
    if (status !== 0) throw new Error(output);
    return parseAllDocuments(output).map((document) => document.toJS() as KubernetesObject);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const isWorkload = (object: KubernetesObject): object is Workload =>
  object.kind === 'Deployment' || object.kind === 'StatefulSet';
const contains = (all: Labels = {}, some: Labels): boolean =>
  Object.entries(some).every(([name, value]) => all[name] === value);

describeWith(kustomize, 'kustomize, nor a kubectl that has it')('deploy/kubernetes/production', () => {
  const objects = kustomize ? build() : [];
  const others = objects as readonly Other[];
  const workloads = objects.filter(isWorkload);
  const pods = workloads.map(({ spec }) => spec.template);
  const containers = pods.flatMap(({ spec }) => spec.containers);
  const env = (container: Container): Record<string, string> =>
    Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? 'given']));
  const find = (kind: string, name: string): Other | undefined =>
    others.find((object) => object.kind === kind && object.metadata.name === name);
  const ofKind = (kind: string): readonly Other[] => others.filter((object) => object.kind === kind);
  const workload = (name: string): Workload => workloads.find(({ metadata }) => metadata.name === name)!;
  const replica = workload('metadata-center');
  const nats = workload('nats');
  /** `kind name/key` of all that a pod can be given; cert-manager fills the Secrets of its certificates. */
  const keys = [
    ...['Secret', 'ConfigMap'].flatMap((kind) =>
      ofKind(kind).flatMap(({ metadata, data = {} }) =>
        Object.keys(data).map((key) => `${kind} ${metadata.name}/${key}`),
      ),
    ),
    ...ofKind('Certificate').flatMap(({ spec }) =>
      ['tls.crt', 'tls.key', 'ca.crt'].map((key) => `Secret ${spec!.secretName!}/${key}`),
    ),
  ];
  const keyed = keys.map((key) => key.split('/')[0]!);

  it('is made of objects that the API knows, field by field', () => {
    // Those of cert-manager are no part of the API that the schemas are of.
    const known = objects.filter(({ apiVersion }) => !apiVersion.startsWith('cert-manager.io/'));
    expect(objects.length - known.length).toBe(4);
    expect(typeErrors(known)).toEqual([]);
    expect(schemaErrors(known)).toEqual([]);
  });

  it('has every Secret and ConfigMap that a pod takes, with every key, and mounts every volume that it has', () => {
    for (const { spec } of workloads) {
      const { volumes, containers: own } = spec.template.spec;
      const names = [...volumes, ...(spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata)];
      const mounted = own.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
      expect(new Set(mounted)).toEqual(new Set(names.map(({ name }) => name)));
    }
    const volumes = pods.flatMap(({ spec }) => spec.volumes);
    const sources = volumes.flatMap(({ configMap, secret }) => [
      ...(configMap ? [`ConfigMap ${configMap.name}`] : []),
      ...(secret ? [`Secret ${secret.secretName}`] : []),
    ]);
    expect(sources).toHaveLength(4);
    expect(keyed).toEqual(expect.arrayContaining(sources));
    const items = volumes.flatMap(({ secret }) =>
      (secret?.items ?? []).map(({ key }) => `Secret ${secret!.secretName}/${key}`),
    );
    const taken = containers
      .flatMap((container) => (container.env ?? []).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []))
      .map(({ name, key }) => `Secret ${name}/${key}`);
    expect(taken).toHaveLength(5);
    expect(keys).toEqual(expect.arrayContaining([...items, ...taken]));
  });

  it('has every account, class, Service, issuer and Secret of an issuer that is named', () => {
    const named = [
      ...workloads.flatMap(({ spec }) => {
        const { serviceAccountName, priorityClassName } = spec.template.spec;
        return [
          `PriorityClass ${String(priorityClassName)}`,
          ...(serviceAccountName === undefined ? [] : [`ServiceAccount ${serviceAccountName}`]),
          ...(spec.serviceName === undefined ? [] : [`Service ${spec.serviceName}`]),
        ];
      }),
      ...ofKind('Certificate').map(({ spec }) => `${spec!.issuerRef!.kind} ${spec!.issuerRef!.name}`),
    ];
    expect(named).toHaveLength(6);
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(
      expect.arrayContaining(named),
    );
    const authorities = ofKind('Issuer').flatMap(({ spec }) => spec!.ca?.secretName ?? []);
    expect(authorities).toEqual(['nats-ca']);
    expect(keyed).toContain('Secret nats-ca');
    const namespaces = new Set(objects.flatMap((object) => object.metadata.namespace ?? []));
    expect([...namespaces]).toEqual(ofKind('Namespace').map(({ metadata }) => metadata.name));
  });

  it('selects pods that there are, by ports that they have', () => {
    type Asked = readonly [Labels, readonly (string | number)[]];
    const asked: readonly Asked[] = [
      ...ofKind('Service').map(({ spec }): Asked => [
        spec!.selector!,
        spec!.ports!.map(({ targetPort }) => targetPort),
      ]),
      ...ofKind('PodDisruptionBudget').map(({ spec }): Asked => [spec!.selector!.matchLabels!, []]),
      ...ofKind('NetworkPolicy').flatMap(({ spec }) => [
        ...(spec!.ingress ?? []).map(({ ports }): Asked => [
          spec!.podSelector!.matchLabels,
          ports.map(({ port }) => port),
        ]),
        ...(spec!.egress ?? []).flatMap(({ to = [], ports }) =>
          to.map(({ podSelector }): Asked => [podSelector!.matchLabels, ports.map(({ port }) => port)]),
        ),
      ]),
      ...workloads.flatMap(({ spec }) =>
        spec.template.spec.topologySpreadConstraints.map(({ labelSelector }): Asked => [
          labelSelector.matchLabels,
          [],
        ]),
      ),
    ];
    for (const [labels, ports] of asked) {
      const found = pods
        .filter(({ metadata }) => contains(metadata.labels, labels))
        .flatMap(({ spec }) => spec.containers.flatMap((container) => container.ports ?? []))
        .flatMap(({ name, containerPort }) => [name, containerPort]);
      expect(found).not.toEqual([]);
      expect(found).toEqual(expect.arrayContaining([...ports]));
    }
  });

  it('has a bus: replicas, routes and the certificate name the three servers that there are', () => {
    const servers = [0, 1, 2].map((index) => `${nats.metadata.name}-${index}.${nats.spec.serviceName!}`);
    expect(nats.spec.replicas).toBe(servers.length);
    const urls = env(replica.spec.template.spec.containers[0]!)['NATS_URL']!.split(',');
    expect(urls).toEqual(servers.map((host) => `tls://${host}:4222`));
    const [map] = nats.spec.template.spec.volumes.flatMap(({ configMap }) => configMap ?? []);
    const { data } = find('ConfigMap', map!.name)!;
    const config = data!['nats.conf']!;
    expect([...config.matchAll(/nats:\/\/(\S+):6222/g)].map(([, host]) => host)).toEqual(servers);
    expect(find('Certificate', 'nats')!.spec!.dnsNames).toEqual(servers);
    // What the configuration takes from the environment, and where it looks for files, is there.
    const server = nats.spec.template.spec.containers.find(({ name }) => name === 'nats')!;
    const variables = (config + data!['permissions.conf']!).match(/(?<=: \$)\w*(?:NAME|PASSWORD)\b/g);
    expect(new Set(variables)).toEqual(new Set(server.env!.map(({ name }) => name)));
    const folders = config.match(/\/(?:etc\/[\w-]+|data)\b/g)!;
    const mounts = server.volumeMounts!.map(({ mountPath }) => mountPath);
    expect(mounts).toEqual(expect.arrayContaining(folders));
  });

  it('gives replicas an environment that the service understands, and files that it mounts', () => {
    const { containers: own, volumes } = replica.spec.template.spec;
    const mounted = own[0]!.volumeMounts!.flatMap(({ name, mountPath }) =>
      (volumes.find((volume) => volume.name === name)!.secret?.items ?? []).map(
        ({ path }) => `${mountPath}/${path}`,
      ),
    );
    const { METADATA_CENTER_AUTH_TOKENS_FILE: tokens, NATS_TLS_CA_FILE: ca, ...variables } = env(own[0]!);
    expect(new Set(mounted)).toEqual(new Set([tokens, ca]));
    const config = parseConfig({ ...variables, POD_IP: '10.0.0.1', METADATA_CENTER_AUTH_TOKENS: 'a-token' });
    expect(config.warnings).toEqual([]);
    expect(find('Service', config.peers.dnsName!)).toBeDefined();
    expect(variables).toMatchObject({ NATS_HISTORY_REPLICAS: '3', NATS_USER: 'metadata-center' });
  });

  it('is scraped under the job names that the alerts use, and has no privileges', () => {
    const jobs = ofKind('ServiceMonitor').map(({ spec }) =>
      ofKind('Service')
        .filter(({ metadata }) => contains(metadata.labels, spec!.selector!.matchLabels!))
        .map(({ metadata }) => metadata.labels![spec!.jobLabel!]),
    );
    expect(jobs).toEqual([['metadata-center'], ['metadata-center-nats']]);
    for (const { spec } of pods)
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
    for (const { securityContext, image } of containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(image).toMatch(/:\d+\.\d+\.\d+(-\w+)?$/);
    }
  });

  it('takes from values.yaml whatever stands there', () => {
    const { spec } = parse(readText('deploy/kubernetes/production/values.yaml')) as { spec: object };
    const values = {
      image: 'r.test/mc:9.8.7',
      replicas: 5,
      natsStorage: '7Gi',
      prometheusNamespace: 'watching',
      prometheusRelease: 'my-prometheus',
      runbook: 'https://wiki.test/runbook',
      dashboard: 'https://grafana.test/d/x',
    };
    expect(Object.keys(values)).toEqual(Object.keys(spec));
    // The dashboard in a ConfigMap is a text, not fields.
    const fields = JSON.stringify(build(values).filter(({ kind }) => kind !== 'ConfigMap'));
    const count = (text: string): number => fields.split(text).length - 1;
    const rules = [...readAlerts(), ...readAlerts('deploy/nats/cluster/alerts/alerts.yaml')].length;
    expect({
      image: count('"image":"r.test/mc:9.8.7"'),
      replicas: count('"replicas":5'),
      natsStorage: count('"storage":"7Gi"'),
      prometheusNamespace: count('"kubernetes.io/metadata.name":"watching"'),
      prometheusRelease: count('"release":"my-prometheus"'),
      runbook: count('"runbook_url":"https://wiki.test/runbook#metadatacenter'),
      dashboard: count('"dashboard_url":"https://grafana.test/d/x?var-namespace='),
      others: count('example.com'),
    }).toEqual({
      image: 1,
      replicas: 1,
      natsStorage: 1,
      prometheusNamespace: 2,
      prometheusRelease: 4,
      runbook: rules,
      dashboard: rules,
      others: 0,
    });
  });
});
