/** The example `envoy-lua` as far as it runs without Envoy: its script in Lua 5.1, with calls that go to a real replica. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { post } from '../http/client';
import { type Replica, startReplica, stopReplicas } from '../http/replica';

const FOLDER = join(__dirname, '../../examples/envoy-lua');
const hasPrograms = ['lua5.1', 'curl'].every((name) => spawnSync(name, ['-v']).error === undefined);
if (!hasPrograms)
  process.stderr.write('SKIPPED: the script of the example envoy-lua: there is no lua5.1 or no curl here\n');

let replica: Replica;
beforeAll(async () => {
  replica = await startReplica();
});
afterAll(stopReplicas);

/** What the stand-in prints: each step, with the rows of the cluster. */
function run(firstSelect: '200' | 'lost', id: string, body: object): Promise<string[]> {
  const args = [
    join(__dirname, 'envoy-handles.lua'),
    join(FOLDER, 'gateway.lua'),
    `http://127.0.0.1:${replica.port}`,
    firstSelect,
    id,
    JSON.stringify(body),
  ];
  return new Promise((resolve, reject) => {
    execFile('lua5.1', args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr, { cause: error }));
      else resolve(stdout.trim().split('\n'));
    });
  });
}

/** Requests and tokens of the one engine after each step. */
const loads = (lines: readonly string[]): unknown[] =>
  lines.slice(1).map((line) => {
    const [step, json] = [line.slice(0, line.indexOf(' [')), line.slice(line.indexOf('['))];
    const [row] = JSON.parse(json) as { queued_req_num: number; prompt_length: number }[];
    return [step, row?.queued_req_num, (row?.prompt_length ?? 0) > 0];
  });

const itWithLua = hasPrograms ? it : it.skip;

describe('the script for Envoy', () => {
  beforeEach(async () => {
    // It selects among the engines that have a row.
    await post(replica.port, {
      cluster: 'envoy',
      request_id: `known-${expect.getState().currentTestName}`,
      ip: '10.0.0.7',
    });
  });

  itWithLua(
    'books, names the engine in its header whatever the caller named, and ends what it booked (I2, I10)',
    async () => {
      const lines = await run('200', 'id-1', { model: 'envoy', messages: [] });
      expect(lines[0]).toBe('engine 10.0.0.7:8000 answered nil');
      const [, before] = loads(lines)[0] as [string, number];
      expect(loads(lines)).toEqual([
        ['booked', before, true],
        ['after chunk 1', before, true],
        ['after chunk 2', before, false],
        ['after chunk 3', before, false],
        ['ended', before - 1, false],
      ]);
    },
  );

  itWithLua('after a lost select ends that id and books under another one (I10)', async () => {
    const lines = await run('lost', 'id-2', { model: 'envoy', messages: [] });
    expect(lines[0]).toBe('engine 10.0.0.7:8000 answered nil');
    const counts = (loads(lines) as [string, number][]).map(([, queued]) => queued);
    expect(counts[0]! - counts.at(-1)!).toBe(1);
    expect(counts.at(-1)).toBe(2);
  });

  itWithLua('answers itself what has no model, or no engine', async () => {
    expect((await run('200', 'id-3', { messages: [] }))[0]).toBe('engine nil answered 400');
    expect((await run('200', 'id-4', { model: 'nobody', messages: [] }))[0]).toBe('engine nil answered 429');
  });
});

describe('envoy.yaml', () => {
  it('names clusters, files and headers that there are', () => {
    const text = readFileSync(join(FOLDER, 'envoy.yaml'), 'utf8');
    const script = readFileSync(join(FOLDER, 'gateway.lua'), 'utf8');
    const { static_resources: config } = parse(text) as {
      static_resources: {
        clusters: { name: string; original_dst_lb_config?: { http_header_name: string } }[];
      };
    };
    const clusters = config.clusters.map(({ name }) => name);
    for (const [, name] of text.matchAll(/\bcluster: (\w+)/g)) expect(clusters).toContain(name);
    expect(clusters).toContain(/REPLICAS = "(\w+)"/.exec(script)![1]);
    for (const [, file] of text.matchAll(/filename: ([\w.]+)/g))
      expect(existsSync(join(FOLDER, file!))).toBe(true);
    expect(script).toContain(
      `"${config.clusters.find(({ name }) => name === 'engines')!.original_dst_lb_config!.http_header_name}"`,
    );
  });
});
