/** A real browser, without a window, for the tests of the dashboard. */
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
  private constructor(readonly context: BrowserContext) {}

  static async open(executablePath: string, options: BrowserContextOptions = {}): Promise<TestBrowser> {
    const browser = await chromium.launch({ executablePath, args: ARGS });
    try {
      return new TestBrowser(await browser.newContext(options));
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.context.browser()!.close();
  }
}
