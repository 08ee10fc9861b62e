/** The example `litellm` as far as it runs without LiteLLM: its hooks, called in LiteLLM's order, against a real replica. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { startReplica, stopReplicas } from '../http/replica';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';
import { type Program, startProgram } from './caller';

const FOLDER = join(__dirname, '../../examples/litellm');
const hasPython = spawnSync('python3', ['-c', 'import http.client']).status === 0;
if (!hasPython) process.stderr.write('SKIPPED: the example litellm: there is no python3 here\n');
const itWithPython = hasPython ? it : it.skip;

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());
afterAll(stopReplicas);

function start(port: number, mode: 'steps' | 'waits'): Program {
  const args = [join(__dirname, 'litellm-hooks.py'), FOLDER, `127.0.0.1:${port}`, mode];
  const env = { PYTHONDONTWRITEBYTECODE: '1', HOME: process.env['HOME'] ?? '/' };
  const program = startProgram('python3', args, env, FOLDER);
  cleanUp.add(() => program.stop());
  return program;
}

describe('the callback for LiteLLM', () => {
  itWithPython(
    'counts each attempt from when it is sent until it is over, and its prompt until the first token (I2)',
    async () => {
      const { port } = await startReplica();
      const program = start(port, 'steps');
      await until(() => program.child.exitCode !== null, { describe: () => program.output() });
      expect(program.output().trim().split('\n')).toEqual([
        'begun [["10.0.0.1", 1, true]]',
        'first token [["10.0.0.1", 1, false]]',
        'over [["10.0.0.1", 0, false]]',
        'whole and failed [["10.0.0.1", 0, false]]',
        'retried elsewhere [["10.0.0.1", 0, false], ["10.0.0.2", 1, true]]',
        'nothing of ours [["10.0.0.1", 0, false], ["10.0.0.2", 0, false]]',
        'refused [] 0',
      ]);
    },
  );

  itWithPython('keeps its reports while no replica answers, and tells them when one does', async () => {
    const port = await freePort();
    const program = start(port, 'waits');
    await until(() => program.output().includes('reported'), { describe: () => program.output() });
    await startReplica({ HTTP_PORT: String(port) });
    await until(() => program.output().includes('told [["10.0.0.1", 1, true]]'), {
      describe: () => program.output(),
    });
  });
});
