/** The difference between what every replica answers and what is known to be in flight. */
import { setTimeout as delay } from 'node:timers/promises';
import { CLUSTER, engineOf, promptLengthOf, queryPath } from '../load/requests';

const ENGINES = 16;
/** What is still on its way is no drift. Far longer than replication takes, far shorter than expiry. */
const SETTLE_WITHIN_MS = 3_000;

interface AnsweredRow {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
}

/**
 * With the requests 0 to `resident` in flight and nothing else: the sum over all replicas and rows of by how much the
 * number of requests is wrong; a wrong prompt length counts as one request.
 */
export async function rowsDifference(
  replicas: readonly { readonly url: string }[],
  resident: number,
): Promise<number> {
  const expected = expectedRows(resident);
  const until = performance.now() + SETTLE_WITHIN_MS;
  for (;;) {
    let difference = 0;
    for (const { url } of replicas) difference += differenceOf(await rowsAt(url), expected);
    if (difference === 0 || performance.now() > until) return difference;
    await delay(20);
  }
}

type Rows = ReadonlyMap<string, { readonly queued: number; readonly prompt: number }>;

function expectedRows(resident: number): Rows {
  const rows = new Map<string, { queued: number; prompt: number }>();
  for (let number = 0; number < resident; number++) {
    const ip = engineOf(number % ENGINES);
    const row = rows.get(ip) ?? { queued: 0, prompt: 0 };
    rows.set(ip, { queued: row.queued + 1, prompt: row.prompt + promptLengthOf(number) });
  }
  return rows;
}

async function rowsAt(url: string): Promise<Rows> {
  const { data } = (await (await fetch(url + queryPath(CLUSTER))).json()) as { data: AnsweredRow[] };
  return new Map(
    data.map(({ ip, queued_req_num, prompt_length }) => [
      ip,
      { queued: queued_req_num, prompt: prompt_length },
    ]),
  );
}

function differenceOf(rows: Rows, expected: Rows): number {
  let difference = 0;
  for (const ip of new Set([...rows.keys(), ...expected.keys()])) {
    const is = rows.get(ip) ?? { queued: 0, prompt: 0 };
    const shouldBe = expected.get(ip) ?? { queued: 0, prompt: 0 };
    difference += Math.max(Math.abs(is.queued - shouldBe.queued), is.prompt === shouldBe.prompt ? 0 : 1);
  }
  return difference;
}
