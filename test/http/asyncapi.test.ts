/** `/asyncapi.json` says what replicas really publish: every message that a tap hears is held to it. */
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { connect, type NatsConnection } from 'nats';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';
import { call, callJson, del, delPrompt, post, select } from './client';
import { startReplica, stopReplicas } from './replica';

interface Documented {
  readonly asyncapi: string;
  readonly channels: Readonly<
    Record<string, { readonly address: string; readonly messages: Record<string, { readonly $ref: string }> }>
  >;
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        {
          readonly payload: { readonly schema: { readonly properties: object } };
          readonly examples: readonly { readonly payload: object }[];
        }
      >
    >;
  };
}

const PREFIX = 'told';
const cleanUp = new CleanUp();
const heard: { readonly subject: string; readonly data: object }[] = [];
let port: number;
let document: Documented;

beforeAll(async () => {
  const nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
  const tap = await cleanUp.use(connect({ servers: nats.url }), (it: NatsConnection) => it.close());
  tap.subscribe('>', {
    callback: (_error, message) =>
      void heard.push({ subject: message.subject, data: JSON.parse(message.string()) as object }),
  });
  await tap.flush();
  const env = { NATS_URL: nats.url, NATS_SUBJECT_PREFIX: PREFIX, NATS_HISTORY: 'off' };
  ({ port } = await startReplica(env));
  document = JSON.parse((await call(port, 'GET', '/asyncapi.json')).text) as Documented;
});

afterAll(async () => {
  await stopReplicas();
  await cleanUp.run();
});

/** With `unevaluatedProperties: false` a member that the document does not name is an error too. */
function validatorOf(name: string): (data: object) => string {
  const ajv = addFormats(new Ajv2020({ strict: false }));
  const { schema } = document.components.messages[name]!.payload;
  const validate = ajv.compile({ ...schema, unevaluatedProperties: false });
  return (data) => (validate(data) ? '' : ajv.errorsText(validate.errors));
}

describe('/asyncapi.json', () => {
  it('describes every message that replicas publish, to the last member, and none that they do not', async () => {
    const cluster = 'schön "quoted"';
    await post(port, { cluster, request_id: 'r1', ip: '10.0.0.1', prompt_length: 2_147_483_647 });
    await post(
      port,
      `{"cluster":"c","request_id":"r2","ip":"10.0.0.1","timestamp":9223372036854775807,"owner":"g1"}`,
    );
    await select(port, { cluster, request_id: 'r3', candidates: ['10.0.0.2'] });
    await delPrompt(port, { request_id: 'r1' });
    await del(port, { request_id: 'r1' });
    const send = (method: string, path: string, body: object): Promise<unknown> =>
      callJson(port, method, path, { body: JSON.stringify(body) });
    await send('PUT', '/v1/load/owner', { owner: 'g1' });
    await send('DELETE', '/v1/load/owner', { owner: 'g1' });
    await send('POST', '/v1/cache/save', { cluster, ip: '10.0.0.1', prompt_hash: [1, 255] });
    await send('DELETE', '/v1/cache', { cluster, ip: '10.0.0.1' });
    await send('DELETE', '/v1/cache', { ip: '10.0.0.1' });

    const nameOf = new Map(
      Object.entries(document.channels).map(([name, { address }]) => [
        address.replace('{prefix}', PREFIX),
        name,
      ]),
    );
    const names = (): Set<string> => new Set(heard.map(({ subject }) => nameOf.get(subject) ?? subject));
    await until(() => names().size >= nameOf.size, { describe: () => `heard ${[...names()].join()}` });
    expect([...names()].sort()).toEqual(Object.keys(document.channels).sort());
    for (const { subject, data } of heard)
      expect([subject, validatorOf(nameOf.get(subject)!)(data)]).toEqual([subject, '']);
    const members = new Set(
      heard
        .filter(({ subject }) => subject === `${PREFIX}.load.add`)
        .flatMap(({ data }) => Object.keys(data)),
    );
    expect([...members]).toEqual(Object.keys(document.components.messages['add']!.payload.schema.properties));
  });

  it('would not be conformed to by other messages', () => {
    const [example] = document.components.messages['add']!.examples;
    const check = validatorOf('add');
    expect(check(example!.payload)).toBe('');
    for (const change of [
      { ip: 'host' },
      { seq: 0 },
      { more: 1 },
      { v: 2 },
      { prompt_length: -1 },
      { request_id: '' },
    ])
      expect([change, check({ ...example!.payload, ...change })]).not.toEqual([change, '']);
  });

  it('has an example of each message that conforms, and no reference that leads nowhere', () => {
    for (const [name, { examples }] of Object.entries(document.components.messages))
      for (const { payload } of examples) expect([name, validatorOf(name)(payload)]).toEqual([name, '']);
    const refs = Array.from(JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g), ([, path]) => path!);
    expect(refs.length).toBeGreaterThan(10);
    for (const path of refs) {
      const target = path
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
      expect([path, typeof target]).toEqual([path, 'object']);
    }
    expect(document.asyncapi).toBe('3.0.0');
  });
});
