/** docs/operations.md: what it says of alerts and of overlays is what there is. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from './programs';
import { findKustomize } from './kustomize';
import { projectPath, readAlerts, readText } from './project-files';

const text = readText('docs/operations.md');
const alerts = [...readAlerts(), ...readAlerts('deploy/nats/cluster/alerts/alerts.yaml')];
const kustomize = findKustomize();

describe('docs/operations.md', () => {
  it('says of each alert, and of no other, what to do, where the alert says that it does', () => {
    const headings = [...text.matchAll(/^### (MetadataCenter\w+)$/gm)].map(([, heading]) => heading!);
    expect(headings.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    for (const { alert, annotations } of alerts) {
      expect(annotations['runbook_url']).toBe(
        `https://runbooks.example.com/operations.md#${alert.toLowerCase()}`,
      );
    }
  });

  it('sets the address of the runbook and of the dashboard everywhere by the command that it names', () => {
    const command = /```sh\n(sed -i [^`]*)```/.exec(text)![1]!;
    const folder = mkdtempSync(join(tmpdir(), 'links-'));
    cpSync(projectPath('deploy'), join(folder, 'deploy'), { recursive: true });
    execFileSync('sh', ['-c', command], { cwd: folder });
    const linked = [
      'nats/cluster/alerts/alerts.yaml',
      'nats/cluster/alerts/prometheus-rule.yaml',
      'prometheus/alerts.yaml',
      'prometheus/prometheus-rule.yaml',
      'grafana/dashboards/metadata-center.json',
    ];
    for (const path of linked) {
      const result = readFileSync(join(folder, 'deploy', path), 'utf8');
      expect(result).not.toMatch(/example\.com|localhost/);
      expect(result).toContain('https://wiki.example.org/metadata-center/operations.md#');
    }
    rmSync(folder, { recursive: true });
  });
});

describeWith(kustomize, 'kustomize, nor a kubectl that has it')(
  'what docs/operations.md has kubectl apply',
  () => {
    it('renders, after the commands that it names before', () => {
      const folders = new Set([...text.matchAll(/^kubectl apply -k (\S+)/gm)].map(([, folder]) => folder!));
      expect([...folders].map((folder) => folder.split('/').at(-1)).sort()).toEqual([
        'production',
        'trial',
        'trial-monitored',
      ]);
      const copy = mkdtempSync(join(tmpdir(), 'operations-'));
      cpSync(projectPath('deploy'), join(copy, 'deploy'), { recursive: true });
      for (const [command] of text.matchAll(/^deploy\/kubernetes\/\S+\.sh$/gm))
        execFileSync('sh', ['-c', command], { cwd: copy });
      const failures = [...folders].filter((folder) => kustomize!.run([join(copy, folder)]).status !== 0);
      rmSync(copy, { recursive: true });
      expect(failures).toEqual([]);
    });
  },
);
