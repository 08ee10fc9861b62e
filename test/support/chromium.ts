/** Where the tests of the dashboard get a browser from, on a machine that may have none. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type BrowserContextOptions } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-quic',
  '--no-first-run',
  '--disable-dev-shm-usage',
];

/** Installs Debian's package where root may; undefined, and said loudly, where there is no browser to be had. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_BIN'];
  const places = given ? [given] : PLACES;
  let found = places.find(isExecutable);
  if (found === undefined && process.getuid?.() === 0) {
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
    ]) {
      try {
        const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
        execFileSync('apt-get', args, { stdio: 'ignore', env });
      } catch {
        break;
      }
    }
    found = places.find(isExecutable);
  }
  if (found === undefined) {
    process.stderr.write(
      '\n*** THE DASHBOARD IS NOT TESTED: there is no Chromium. Install it (apt-get install chromium) or set CHROMIUM_BIN. ***\n\n',
    );
  }
  return found;
}

/** A browser with a profile of its own, which `close` removes. */
export class TestBrowser {
  private constructor(
    readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  static async open(executablePath: string, options: BrowserContextOptions = {}): Promise<TestBrowser> {
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
    const context = await chromium.launchPersistentContext(profile, {
      ...options,
      executablePath,
      args: ARGS,
    });
    return new TestBrowser(context, profile);
  }

  async close(): Promise<void> {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
