/** The commands of README and tutorial, run as they are written, and their answers, compared as they are printed. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fleet } from '../convergence/fleet';
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { JETSTREAM } from '../support/nats-server';

const ROOT = join(__dirname, '../..');
const cleanUp = new CleanUp();

afterAll(() => cleanUp.run());

interface Example {
  readonly commands: string;
  readonly answers: string;
}

/** Blocks of curl commands, each followed by what they print. The stream is left out: what it prints is a matter of time. */
function examplesOf(page: string): Example[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const blocks = text.matchAll(/^```sh\n((?:(?!```)[\s\S])*?)```\n\n```text\n([\s\S]*?)```$/gm);
  const isRun = (line: string): boolean => /^(curl|sleep|for i in 1 2 3; do curl) /.test(line);
  return Array.from(blocks, ([, commands, answers]) => ({ commands: commands!, answers: answers! })).filter(
    ({ commands }) => commands.trim().split('\n').every(isRun) && !commands.includes('/watch'),
  );
}

function run(commands: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('bash', ['-ec', commands], (error, stdout) =>
      error ? reject(new Error(error.message)) : resolve(stdout),
    );
  });
}

const OF_EACH_RUN = new Set(['time', 'replica', 'settings', 'host', 'port']);

/** The lines of a replica's log that a page shows, where it shows any. */
function logShownBy(page: string): object[] {
  const lines = readFileSync(join(ROOT, page), 'utf8').match(/^\{"level":.*$/gm) ?? [];
  return lines.map((line) => JSON.parse(line) as object);
}

/** Without what is another at each run, or set by the test. */
function startOf(lines: readonly object[]): string[] {
  return lines.map((line) =>
    JSON.stringify(line, (name, value: unknown) => (OF_EACH_RUN.has(name) ? '…' : value)),
  );
}

/** Without what is another at each run. */
function masked(answers: string): string {
  return answers.replace(/"trace_id":"[0-9a-f]{32}"/g, '"trace_id":"…"').replace(/\b\d{19}\b/g, '…');
}

describe('The commands of README and tutorial', () => {
  const one = (example: Example): boolean => example.commands.includes('localhost:8080');

  it.each(['README.md', 'docs/tutorial.md'])('of %s print what the page says: one replica', async (page) => {
    const replica = await ReplicaProcess.start();
    cleanUp.add(() => replica.stop());
    await replica.hasLogged('ready');
    const shown = startOf(logShownBy(page));
    expect(startOf(replica.log).slice(0, shown.length)).toEqual(shown);
    const examples = examplesOf(page).filter(one);
    expect(examples.length).toBeGreaterThan(1);
    for (const { commands, answers } of examples) {
      const printed = await run(commands.replaceAll('localhost:8080', `${replica.host}:${replica.port}`));
      expect(masked(printed)).toBe(masked(answers));
    }
  });

  it('of the tutorial print what it says: three replicas, killed and started again', async () => {
    const fleet = await cleanUp.use(
      Fleet.start({ size: 3, env: { NATS_HISTORY: 'auto' }, natsConfig: JETSTREAM }),
      (it) => it.stop(),
    );
    const here = (commands: string): string =>
      commands
        .replaceAll('"127.0.0.$i:8080', '"${hosts[i - 1]}')
        .replace(/127\.0\.0\.(\d):8080/g, (_, i) => `${fleet.members[Number(i) - 1]!.host}:${fleet.port}`);
    const hosts = `hosts=(${fleet.members.map(({ host }) => `${host}:${fleet.port}`).join(' ')})\n`;
    const [calls, kept] = examplesOf('docs/tutorial.md').filter((example) => !one(example));
    expect(masked(await run(hosts + here(calls!.commands).replaceAll('sleep 0.1', 'sleep 1')))).toBe(
      masked(calls!.answers),
    );
    const report = /^curl .*"request_id":"c1".*$/m.exec(readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8'));
    await run(here(report![0]));
    await Promise.all(fleet.members.map(({ replica }) => replica.kill()));
    await Promise.all(fleet.members.map((member) => fleet.launch(member)));
    await until(async () => masked(await run(hosts + here(kept!.commands))) === masked(kept!.answers), {
      describe: 'all three have what they had before they were killed',
    });
  });
});
