/** The example `nginx-lua`, in front of real replicas and engines that stream: its own files, on another port. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram } from './caller';
import { describeGateway } from './gateway-suite';

const FOLDER = join(__dirname, '../../examples/nginx-lua');
const NGINX = '/usr/sbin/nginx';
const MODULE = '/usr/lib/nginx/modules/ngx_http_lua_module.so';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

if (existsSync(NGINX) && existsSync(MODULE)) {
  describeGateway('nginx with Lua', (env, port) => {
    const folder = mkdtempSync(join(tmpdir(), 'nginx-lua-'));
    folders.push(folder);
    cpSync(FOLDER, folder, { recursive: true });
    mkdirSync(join(folder, 'logs'));
    const config = readFileSync(join(FOLDER, 'nginx.conf'), 'utf8')
      .replace('127.0.0.1:8090', `127.0.0.1:${port}`)
      .replace(/^pid .*$/m, `pid ${folder}/pid;`);
    writeFileSync(join(folder, 'nginx.conf'), config);
    return startProgram(NGINX, ['-p', `${folder}/`, '-c', 'nginx.conf'], env, folder);
  });
} else {
  process.stderr.write(
    'SKIPPED: the example nginx-lua: there is no nginx with Lua here (apt-get install nginx libnginx-mod-http-lua)\n',
  );
  // eslint-disable-next-line jest/no-disabled-tests -- there is nothing to run it with
  it.skip('nginx with Lua is not on this machine', () => undefined);
}
