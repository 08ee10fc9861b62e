/** Bodies with hashes: the quick way to read them and the general one agree, word for word (I8). */
import fc from 'fast-check';
import { prefixHashesOf } from '../../src/cache/prefix-hashes';
import { CacheSaveDto, MAX_PROMPT_HASHES } from '../../src/http/dto/cache.dto';
import { DtoCheck } from '../../src/http/dto/dto-check';
import { HashedBody } from '../../src/http/dto/hashed-body';
import { ApiError } from '../../src/http/errors';
import { jsonBody } from '../../src/http/json-body';
import { JsonObject } from '../../src/wire/json-object';
import { equal } from '../support/same';
import { runs } from '../support/size';

const check = new DtoCheck(CacheSaveDto);
const hashedBody = new HashedBody(CacheSaveDto);

type Read = { cluster: unknown; ip: unknown; hashes: number[] } | { reason: string };

const generally = (text: string): Read =>
  reasonOr(() => {
    const { cluster, ip, prompt_hash: hashes } = check.object(jsonBody(Buffer.from(text)));
    return { cluster, ip, hashes: [...prefixHashesOf(hashes ?? [])] };
  });
const asGatewaysSend = (text: string): Read =>
  reasonOr(() => {
    const { dto, hashes } = hashedBody.read(Buffer.from(text));
    return { cluster: dto.cluster, ip: dto.ip, hashes: [...hashes] };
  });

function reasonOr(read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { reason: error.reason };
  }
}

const good = (hashes: string): string =>
  `{"cluster":"qwen3.service","prompt_hash":${hashes},"ip":"10.0.0.7"}`;

it('the body of the gateway in use takes the quick way', () => {
  const quick = JsonObject.readBesideList(Buffer.from(good('[12873452398745623487,42]')), 'prompt_hash');
  expect(quick?.object.members).toEqual({ cluster: 'qwen3.service', prompt_hash: [], ip: '10.0.0.7' });
  expect(quick?.text.slice(quick.listStart)).toBe('[12873452398745623487,42],"ip":"10.0.0.7"}');
});

it.each([
  '[]',
  '[0]',
  '[18446744073709551615]',
  '[18446744073709551616]',
  '[99999999999999999999]',
  '[123456789012345678901]',
  '[ 1 ,\n2\t]',
  '[01]',
  '[00]',
  '[-0]',
  '[-1]',
  '[1e3]',
  '[1.0]',
  '[1.5]',
  '[1,]',
  '[,1]',
  '[1 2]',
  '[1]]',
  '[[1]]',
  '["1"]',
  '[null]',
  '[1',
  'null',
  '{}',
  '[1],"prompt_hash":[2]',
  '[1],"prompt_hash":null',
  '[1],"prompt\\u005fhash":[2]',
  '[1],"x":{"prompt_hash":[2]}',
  '[1],"ip":"10.0.0.8"',
  '[1],"x":"\\"prompt_hash\\":[2]"',
  '[1],"x":"]"',
  '[1],"x":"ł"',
  '[1]}{"a":[2]',
  '[1],',
])('I8: a prompt_hash of %s is read and refused alike', (hashes) => {
  expect(asGatewaysSend(good(hashes))).toEqual(generally(good(hashes)));
});

it.each([
  '{"x":{"prompt_hash":[1]},"cluster":"c","ip":"10.0.0.7"}',
  '{"x":{"prompt_hash":[1]},"cluster":"c","ip":"10.0.0.7","prompt_hash":[2]}',
  '{"x":{"prompt_hash":[1]},"cluster":"c","ip":"10.0.0.7","prompt\\u005fhash":[2]}',
  '{"x":{"prompt_hash":[1]},"cluster":"c","ip":"10.0.0.7","prompt_hash":[]}',
  '{"x":{"prompt_hash":[1]},"cluster":"c","ip":"10.0.0.7","prompt\\u005fhash":[]}',
  '{"x":["prompt_hash",[1]],"cluster":"c","ip":"10.0.0.7"}',
  '{"cluster":"prompt_hash","prompt_hash":[1],"ip":"10.0.0.7"}',
  '{"cluster":"c","prompt_hash":[1],"ip":"10.0.0"}',
  '{"prompt_hash":[1]}',
  '["prompt_hash",[1]]',
  '"prompt_hash":[1]',
  '',
])('I8: %s is read and refused alike', (body) => {
  expect(asGatewaysSend(body)).toEqual(generally(body));
});

it('I8: whatever stands in the list and beside it, both ways agree', () => {
  const element = fc.oneof(
    { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String) },
    { weight: 1, arbitrary: fc.constantFrom('01', '-1', '1.0', '1e2', '"a"', 'null', '[]', ' 7 ', '') },
  );
  const other = fc.constantFrom(
    '"ip":"10.0.0.7"',
    '"cluster":"c"',
    '"x":[1]',
    '"x":"prompt_hash"',
    '"ip":1',
    '"x":{"prompt_hash":[5]}',
  );
  fc.assert(
    fc.property(
      fc.array(element, { maxLength: 4 }),
      fc.array(other, { maxLength: 3 }),
      fc.nat(3),
      (elements, others, at) => {
        const members: string[] = [...others];
        members.splice(at, 0, `"prompt_hash":[${elements.join(',')}]`);
        const body = `{${members.join(',')}}`;
        equal(asGatewaysSend(body), generally(body));
      },
    ),
    { numRuns: runs(3_000) },
  );
});

it('I7: as many hashes as are allowed are read, and one more is refused', () => {
  const list = (count: number): string => `[${Array.from({ length: count }, (_, i) => i).join(',')}]`;
  for (const count of [MAX_PROMPT_HASHES, MAX_PROMPT_HASHES + 1])
    equal(asGatewaysSend(good(list(count))), generally(good(list(count))));
});
