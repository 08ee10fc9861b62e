/**
 * What ids cost that were searched for: all of them agree in those bits of the hash, which everybody can compute, that once
 * chose the place in a table. Against as many random ids of the same length, with 100,000 in flight.
 */
import { hash, randomBytes } from 'node:crypto';
import { closedLoop } from '../load/closed-loop';
import { Lanes } from '../load/lanes';
import { cpuSeconds } from '../processes/process-stats';
import { startAlone } from '../processes/replicas';
import { Collected, type PartOptions, ratios, type Row } from '../report/rows';

const IDS = 120_000;
const IN_FLIGHT = 100_000;
const BATCH = 500;
const LANES = 16;
/** A core finds so many ids that agree in so many bits in 11 s; with each bit more it takes twice as long. */
const AGREEING_BITS = 8;
const ID_LENGTH = 12;

type Kind = 'crafted' | 'random';

/** Adds of what is beyond those in flight, then their deletes: processor time of the replica for each report. */
export async function measureCrafted(rounds: number, say: PartOptions['say']): Promise<Collected> {
  const results = new Collected();
  say(`searching ${IDS.toLocaleString('en')} ids that agree in ${AGREEING_BITS} bits`);
  const started = performance.now();
  const ids: Record<Kind, string[]> = { crafted: craftedIds(), random: randomIds() };
  results.add('search', (performance.now() - started) / 1000);
  for (let round = 0; round < rounds; round++) {
    const kinds: Kind[] = round % 2 === 0 ? ['crafted', 'random'] : ['random', 'crafted'];
    for (const kind of kinds) {
      const us = await costOf(ids[kind]);
      say(`${kind} ids, round ${round + 1}: ${us.toFixed(1)} µs a report`);
      results.add(kind, us);
    }
  }
  return results;
}

export function craftedRows(results: Collected): Row[] {
  const [crafted, random] = [results.of('crafted'), results.of('random')];
  const row = (name: string, unit: string, values: readonly number[]): Row => ({
    part: 'hostile',
    name,
    unit,
    values,
  });
  return [
    row(
      `${IDS.toLocaleString('en')} ids that agree in ${AGREEING_BITS} bits: search`,
      's',
      results.of('search'),
    ),
    row('report of such an id, 100,000 in flight', 'CPU µs', crafted),
    row('report of a random id, 100,000 in flight', 'CPU µs', random),
    { ...row('crafted over random', 'of random', ratios(crafted, random)), target: { atMost: 1.1 } },
  ];
}

function craftedIds(): string[] {
  const ids: string[] = [];
  for (let n = 0; ids.length < IDS; n++) {
    const id = n.toString(36).padStart(ID_LENGTH, '0');
    // The first byte is the low one of the first word.
    if (hash('sha256', id, 'binary').charCodeAt(0) === 0) ids.push(id);
  }
  return ids;
}

function randomIds(): string[] {
  return Array.from({ length: IDS }, () => randomBytes(ID_LENGTH / 2).toString('hex'));
}

async function costOf(ids: readonly string[]): Promise<number> {
  const replica = await startAlone();
  try {
    const lanes = await Lanes.open([replica], LANES);
    const send = (requests: readonly string[]): Promise<unknown> => {
      let next = 0;
      return closedLoop(lanes, () => () => requests[next++], Infinity);
    };
    const batches: string[] = [];
    for (let first = 0; first < IN_FLIGHT; first += BATCH) {
      const events = ids.slice(first, first + BATCH).map((id) => `{"op":"add",${members(id)}}`);
      batches.push(post('/v1/load/batch', `{"events":[${events.join()}]}`));
    }
    await send(batches);
    const measured = ids.slice(IN_FLIGHT);
    const before = cpuSeconds(replica.pid);
    await send(measured.map((id) => post('/v1/load/stats', `{${members(id)}}`)));
    await send(measured.map((id) => withBody('DELETE', '/v1/load/stats', `{"request_id":"${id}"}`)));
    const usedUs = (cpuSeconds(replica.pid) - before) * 1_000_000;
    lanes.close();
    return usedUs / (2 * measured.length);
  } finally {
    await replica.kill();
  }
}

function members(id: string): string {
  return `"cluster":"crafted","request_id":"${id}","prompt_length":7,"ip":"10.0.0.1","timestamp":1700000000000000000`;
}

const post = (path: string, body: string): string => withBody('POST', path, body);

function withBody(method: string, path: string, body: string): string {
  return `${method} ${path} HTTP/1.1\r\nHost: metadata-center:8080\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
