import { setTimeout as delay } from 'node:timers/promises';
import { RawConnection } from '../http/client';
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess, type ReplicaOptions } from '../support/replica-process';

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

const start = (options?: ReplicaOptions): Promise<ReplicaProcess> =>
  cleanUp.use(ReplicaProcess.start(options), (it) => it.kill());

describe('a replica process', () => {
  it('serves alone with nothing configured, logs JSON lines only, and stops with code 0', async () => {
    const replica = await start();
    const response = await fetch(`${replica.url}/v1/load/stats?cluster=c`);
    expect(response.status).toBe(200);
    expect(await replica.stop()).toEqual({ code: 0, signal: null });
    expect(replica.logged('started')).toMatchObject({ level: 'info', port: replica.port });
    expect(replica.logged('stopped')).toBeDefined();
    expect(replica.otherOutput).toEqual([]);
    expect(replica.stderr).toBe('');
  });

  it('names every bad variable at once and ends with code 1, without a secret in its words', async () => {
    const env = { LOG_LEVEL: 'loud', METADATA_CENTER_MAX_ENGINES: 'many', NATS_URL: 'http://u:hunter2@h' };
    const replica = await cleanUp.use(ReplicaProcess.launch({ env }), (it) => it.kill());
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
    for (const variable of Object.keys(env)) expect(replica.stderr).toContain(variable);
    expect(replica.stderr).not.toContain('hunter2');
  });

  it('says which variables are probably misspelt, and starts', async () => {
    const replica = await start({ env: { METADATA_CENTER_EXPIRE: '5s' } });
    await replica.stop();
    expect(replica.logged(/METADATA_CENTER_EXPIRE/)).toMatchObject({ level: 'warn' });
  });
});

describe('a second signal, while a report is still on its way in', () => {
  const body = '{"cluster":"c","request_id":"r","ip":"10.0.0.1"}';
  let replica: ReplicaProcess;
  let busy: RawConnection;

  async function startBusy(env: Readonly<Record<string, string>> = {}): Promise<void> {
    replica = await start({ env });
    busy = await cleanUp.use(RawConnection.open(replica.port), (it) => it.close());
    busy.send(`POST /v1/load/stats HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n{`);
    // By the time of this answer the replica has read what was sent before.
    await replica.healthy();
  }

  /** Resolves the moment that the replica has taken the signal: what is one signal and what two is a matter of time. */
  async function interrupt(): Promise<void> {
    const stopping = replica.nextLine('stopping');
    replica.signal('SIGINT');
    await stopping;
  }

  it('is the same one when it comes at once under npm start: there Ctrl-C comes twice', async () => {
    await startBusy({ npm_lifecycle_event: 'start' });
    await interrupt();
    replica.signal('SIGINT');
    await delay(100);
    busy.send(body.slice(1));
    expect(await busy.answer()).toMatchObject({ code: 0 });
    expect(await replica.exited()).toEqual({ code: 0, signal: null });
  });

  it('ends the replica at once when it comes later under npm start', async () => {
    await startBusy({ npm_lifecycle_event: 'start' });
    await interrupt();
    await delay(300);
    replica.signal('SIGINT');
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends the replica at once: %s', async (second) => {
    await startBusy();
    await interrupt();
    replica.signal(second);
    expect(await replica.exited()).toEqual({ code: 1, signal: null });
  });
});
