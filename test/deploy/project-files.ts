/** The project's deployment files, as the tests read them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const PROJECT = join(__dirname, '../..');

export const projectPath = (path: string): string => join(PROJECT, path);
export const readText = (path: string): string => readFileSync(projectPath(path), 'utf8');
/** YAML 1.1, since the tools that read these files know its merge keys. */
export const readYaml = (path: string): unknown => parse(readText(path), { merge: true }) as unknown;
export const readJson = (path: string): unknown => JSON.parse(readText(path)) as unknown;

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export function readAlerts(path = 'deploy/prometheus/alerts.yaml'): readonly Alert[] {
  const { groups } = readYaml(path) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

export interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

export function readDashboards(): ReadonlyMap<string, Dashboard> {
  const folder = 'deploy/grafana/dashboards';
  const names = readdirSync(projectPath(folder));
  return new Map(names.map((name) => [name, readJson(`${folder}/${name}`) as Dashboard]));
}
