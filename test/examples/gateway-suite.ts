/**
 * What every example of a gateway must do, whatever it is made of: one suite, run on each. It counts a request from its choice to
 * its end, however that comes.
 */
import { rows } from '../http/client';
import { type Replica, startReplica, stopReplicas } from '../http/replica';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';
import { Caller, type Program } from './caller';
import { Engines } from './engines';

const MODEL = 'llama';

/** How an example is started: what it is told, by environment variables of the same names. */
export interface GatewayEnv {
  readonly [name: string]: string;
  readonly REPLICAS: string;
  readonly ENGINES: string;
  readonly ENGINE_PORT: string;
  readonly MAX_QUEUED: string;
  readonly TIMEOUT_MS: string;
}

export type StartGateway = (env: GatewayEnv, port: number) => Program;

export function describeGateway(name: string, startGateway: StartGateway): void {
  const cleanUp = new CleanUp();
  let replica: Replica;
  let engines: Engines;
  let port: number;
  let proxy: Program;

  const start = async (replicas: string): Promise<{ port: number; program: Program }> => {
    const own = await freePort();
    const env = {
      REPLICAS: replicas,
      ENGINES: engines.hosts.join(),
      ENGINE_PORT: String(engines.port),
      MAX_QUEUED: '3',
      // Other work on this machine is no failure of a replica.
      TIMEOUT_MS: '5000',
    };
    const program = startGateway(env, own);
    cleanUp.add(() => program.stop());
    // It answers what it can't read.
    await until(async () => (await new Caller(own, {}).ended()).status === 400, {
      describe: () => `the gateway listens; ${program.output()}`,
    });
    return { port: own, program };
  };

  beforeAll(async () => {
    replica = await startReplica();
    engines = await cleanUp.use(Engines.start(2), (it) => it.stop());
    ({ port, program: proxy } = await start(`127.0.0.1:${replica.port}`));
  });

  afterAll(async () => {
    await cleanUp.run();
    await stopReplicas();
  });

  let calls = 0;
  const say = (at = port): { caller: Caller; text: string } => {
    const text = `call ${++calls} .`;
    return { text, caller: new Caller(at, { model: MODEL, messages: [{ role: 'user', content: text }] }) };
  };
  /** Requests and whether there are tokens to prefill, over all engines. */
  const load = async (): Promise<[number, boolean]> => {
    const all = await rows(replica.port, MODEL);
    const sum = (of: (row: (typeof all)[number]) => number): number =>
      all.reduce((total, row) => total + of(row), 0);
    return [sum((row) => row.queued_req_num), sum((row) => row.prompt_length) > 0];
  };
  const untilLoad = async (queued: number, prefilling: boolean): Promise<void> => {
    await until(async () => JSON.stringify(await load()) === JSON.stringify([queued, prefilling]), {
      describe: () => `${queued} in flight; ${proxy.output()}`,
    });
  };

  describe(name, () => {
    it('counts a request from its choice to its end, and its prompt until the first token (I2)', async () => {
      const { caller, text } = say();
      const held = await engines.held(text);
      expect(await load()).toEqual([1, true]);
      held.token('one');
      await until(() => caller.text.includes('one'), { describe: 'the first token is passed on at once' });
      await untilLoad(1, false);
      held.token('two');
      held.finish();
      await caller.ended();
      expect(caller.text).toBe('data: one\n\ndata: two\n\ndata: [DONE]\n\n');
      expect(caller.status).toBe(200);
      expect(caller.headers['x-engine']).toMatch(new RegExp(`^${held.engine}(:\\d+)?$`));
      await untilLoad(0, false);
    });

    it('spreads requests that come together over the engines, and refuses those for which there is no room', async () => {
      const said = Array.from({ length: 8 }, () => say());
      await until(() => said.filter(({ caller }) => caller.status === 429).length === 2, {
        describe: 'two are refused',
      });
      const taken = said.filter(({ caller }) => caller.status !== 429);
      const held = await Promise.all(taken.map(({ text }) => engines.held(text)));
      for (const host of engines.hosts) expect(held.filter(({ engine }) => engine === host)).toHaveLength(3);
      for (const each of held) each.finish();
      await Promise.all(said.map(({ caller }) => caller.ended()));
      expect(said.find(({ caller }) => caller.status === 429)!.caller.headers['retry-after']).toBe('1');
      await untilLoad(0, false);
    });

    it('ends a request whose caller goes away, and lets the engine know', async () => {
      const [waiting, streaming] = [say(), say()];
      const held = await Promise.all([waiting, streaming].map(({ text }) => engines.held(text)));
      held[1]!.token('one');
      await until(() => streaming.caller.text.includes('one'), { describe: 'it streams' });
      for (const { caller } of [waiting, streaming]) caller.go();
      await untilLoad(0, false);
      await until(() => held.every(({ gone }) => gone), { describe: 'the engines see that nobody reads' });
    });

    it('ends a request whose engine breaks off, before the first token and after it', async () => {
      const [before, after] = [say(), say()];
      const held = await Promise.all([before, after].map(({ text }) => engines.held(text)));
      held[0]!.break();
      held[1]!.token('one');
      await until(() => after.caller.text.includes('one'), { describe: 'it streams' });
      held[1]!.break();
      expect((await before.caller.ended()).status).toBe(502);
      await after.caller.ended();
      await untilLoad(0, false);
    });

    it('serves while no replica answers', async () => {
      const alone = await start(`127.0.0.1:${await freePort()}`);
      const { caller, text } = say(alone.port);
      (await engines.held(text)).finish();
      expect((await caller.ended()).status).toBe(200);
    });
  });
}
