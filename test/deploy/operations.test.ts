/** docs/operations.md: what it says of alerts and of overlays is what there is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describeWith } from './programs';
import { findKustomize } from './kustomize';
import { PROJECT, readAlerts, readText } from './project-files';

const text = readText('docs/operations.md');
const alerts = readAlerts();
const kustomize = findKustomize();

describe('docs/operations.md', () => {
  it('says of each alert, and of no other, what to do, where the alert says that it does', () => {
    const headings = [...text.matchAll(/^### (MetadataCenter\w+)$/gm)].map(([, heading]) => heading!);
    expect(headings.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    for (const { alert, annotations } of alerts) {
      expect(annotations['runbook']).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    }
  });
});

describeWith(kustomize, 'kustomize, nor a kubectl that has it')('the overlay in docs/operations.md', () => {
  it('renders with its image and its secret', () => {
    const folder = mkdtempSync(join(tmpdir(), 'overlay-'));
    const overlay = /```yaml\n(apiVersion: kustomize[^`]*)```/.exec(text)![1]!;
    const project = relative(folder, PROJECT);
    writeFileSync(join(folder, 'kustomization.yaml'), overlay.replaceAll('../metadata-center', project));
    const { status, output } = kustomize!.run([folder]);
    rmSync(folder, { recursive: true });
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringMatching(
        /name: NATS_PASS[^]*registry\.example\.com\/metadata-center:\d/,
      ) as string,
    });
  });
});
