/** The page on convergence gives the constants as the code has them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repairOptions } from '../../src/repair/repair-options';

const page = readFileSync(join(__dirname, '../../docs/convergence.md'), 'utf8');

it.each(Object.entries(repairOptions({ finishedRetentionUs: 60_000_000 })))(
  'docs/convergence.md gives %s as %s µs',
  (name, us) => {
    const [, seconds] = new RegExp(`^\\| \`${name}\` +\\| ([\\d.]+) s `, 'm').exec(page) ?? [];
    expect(Number(seconds) * 1e6).toBe(us);
  },
);
