/** Where the tests get a nats-server from, on a machine that may have none. */
import { execFileSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { isExecutable } from './executable';

/** Debian puts it where the PATH of ordinary users does not look. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];

export function findNatsServer(): string | undefined {
  const given = process.env['NATS_SERVER_BIN'];
  if (given !== undefined && given !== '') {
    if (isExecutable(given)) return given;
    throw new Error(`NATS_SERVER_BIN=${given} is not an executable file`);
  }
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, 'nats-server')).find(isExecutable);
}

/** Installs Debian's package where that is possible without asking anyone. */
export function installNatsServer(): void {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  for (const args of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'nats-server'],
  ]) {
    const [command = '', ...rest] = [...asRoot, ...args];
    execFileSync(command, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}
