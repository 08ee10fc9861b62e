/**
 * Runs once before all tests: makes sure that there is a nats-server, since no test replaces it by a fake, and a browser;
 * and starts a replica once, so that the others start in half the time.
 */
import { installChromium } from './chromium-binary';
import { findNatsServer, installNatsServer } from './nats-server-binary';
import { ReplicaProcess } from './replica-process';

export default async function setUp(): Promise<void> {
  installChromium();
  let found = findNatsServer();
  let failure = '';
  if (found === undefined) {
    try {
      installNatsServer();
    } catch (error) {
      failure = ` (apt-get: ${String(error)})`;
    }
    found = findNatsServer();
  }
  if (found === undefined) {
    throw new Error(
      'The tests need a nats-server, 2.9 or newer, and could not install it. Install the package ' +
        '"nats-server" (apt-get install nats-server, brew install nats-server) or download it from ' +
        `https://nats.io/download, then put it in the PATH or set NATS_SERVER_BIN to it.${failure}`,
    );
  }
  process.env['NATS_SERVER_BIN'] = found;
  const first = await ReplicaProcess.start({ env: { QUICK_START: 'keep' } });
  await first.stop();
}
