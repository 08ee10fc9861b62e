import { ReplicaProcess } from '../support/replica-process';

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
