import { setTimeout as delay } from 'node:timers/promises';
import { RawConnection } from '../http/client';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

describe('a replica process', () => {
  it('serves alone with nothing configured, logs JSON lines only, and stops with code 0', async () => {
    const replica = await ReplicaProcess.start();
    const response = await fetch(`${replica.url}/v1/load/stats?cluster=c`);
    expect(response.status).toBe(200);
    expect(await replica.stop()).toEqual({ code: 0, signal: null });
    expect(replica.logged('started')).toMatchObject({ level: 'info', port: replica.port });
    expect(replica.logged('stopped')).toBeDefined();
    expect(replica.otherOutput).toEqual([]);
    expect(replica.stderr).toBe('');
  });

  it('names every bad variable at once and ends with code 1, without a secret in its words', async () => {
    const replica = await ReplicaProcess.launch({
      env: { LOG_LEVEL: 'loud', METADATA_CENTER_MAX_ENGINES: 'many', NATS_URL: 'http://u:hunter2@h' },
    });
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
    for (const variable of ['LOG_LEVEL', 'METADATA_CENTER_MAX_ENGINES', 'NATS_URL']) {
      expect(replica.stderr).toContain(variable);
    }
    expect(replica.stderr).not.toContain('hunter2');
  });

  it('says which variables are probably misspelt, and starts', async () => {
    const replica = await ReplicaProcess.start({ env: { METADATA_CENTER_EXPIRE: '5s' } });
    await replica.stop();
    expect(replica.logged(/METADATA_CENTER_EXPIRE/)).toMatchObject({ level: 'warn' });
  });
});

describe('a second signal, while a report is still on its way in', () => {
  const body = '{"cluster":"c","request_id":"r","ip":"10.0.0.1"}';
  let replica: ReplicaProcess;
  let busy: RawConnection;

  async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    replica = await ReplicaProcess.start({ env });
    busy = await RawConnection.open(replica.port);
    busy.send(`POST /v1/load/stats HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n{`);
    // By the time of this answer the replica has read what was sent before.
    await replica.healthy();
  }

  afterEach(async () => {
    busy.close();
    await replica.kill();
  });

  const stopping = (): Promise<unknown> =>
    until(() => replica.logged('stopping'), { describe: 'the replica stops' });

  it('is the same one when it comes at once under npm start: there Ctrl-C comes twice', async () => {
    await start({ npm_lifecycle_event: 'start' });
    replica.signal('SIGINT');
    await stopping();
    replica.signal('SIGINT');
    await delay(100);
    busy.send(body.slice(1));
    expect(await busy.answer()).toMatchObject({ code: 0 });
    expect(await replica.exited()).toEqual({ code: 0, signal: null });
  });

  it('ends the replica at once when it comes later under npm start', async () => {
    await start({ npm_lifecycle_event: 'start' });
    replica.signal('SIGINT');
    await stopping();
    await delay(300);
    replica.signal('SIGINT');
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends the replica at once: %s', async (second) => {
    await start();
    replica.signal('SIGINT');
    await stopping();
    replica.signal(second);
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
  });
});
