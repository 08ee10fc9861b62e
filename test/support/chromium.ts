/** A real browser, without a window, for the tests of the dashboard. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type BrowserContextOptions } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-quic',
  '--no-first-run',
  '--disable-dev-shm-usage',
];

/** A browser with a profile of its own, which `close` removes. */
export class TestBrowser {
  private constructor(
    readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  static async open(executablePath: string, options: BrowserContextOptions = {}): Promise<TestBrowser> {
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
    try {
      const all = { ...options, executablePath, args: ARGS };
      return new TestBrowser(await chromium.launchPersistentContext(profile, all), profile);
    } catch (error) {
      rmSync(profile, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
