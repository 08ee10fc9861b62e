/** The example `node-proxy`, as its page says to start it, in front of real replicas and engines that stream. */
import { join } from 'node:path';
import { startProgram } from './caller';
import { describeGateway } from './gateway-suite';

const FOLDER = join(__dirname, '../../examples/node-proxy');

describeGateway('the proxy in Node.js', (env, port) =>
  startProgram(process.execPath, ['proxy.mjs'], { ...env, PORT: String(port) }, FOLDER),
);
