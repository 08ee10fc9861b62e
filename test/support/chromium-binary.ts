/** Where the tests of the dashboard get a browser from, on a machine that may have none. */
import { execFileSync } from 'node:child_process';
import { isExecutable } from './executable';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Undefined, and said loudly, where there is none. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_BIN'];
  const found = (given ? [given] : PLACES).find(isExecutable);
  if (found === undefined) {
    process.stderr.write(
      '\n*** THE DASHBOARD IS NOT TESTED: there is no Chromium. Install it (apt-get install chromium) or set CHROMIUM_BIN. ***\n\n',
    );
  }
  return found;
}

/** Installs Debian's package where root may; to be called once, before there are several who would. */
export function installChromium(): void {
  if (process.getuid?.() !== 0 || process.env['CHROMIUM_BIN'] || PLACES.some(isExecutable)) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
  ]) {
    try {
      execFileSync('apt-get', args, { stdio: 'ignore', env, timeout: 300_000 });
    } catch {
      return;
    }
  }
}
