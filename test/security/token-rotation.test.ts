/** Tokens rotate over three real replicas, one at a time, while gateways report and replicas repair each other. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fleet, type Member } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import type { LogLine, ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const OLD = 'rotation-old-token';
const NEW = 'rotation-new-token';

let fleet: Fleet;
let load: Workload;
const cleanUp = new CleanUp();

const fileOf = (folder: string): string => join(folder, 'tokens');

beforeAll(async () => {
  const starting = Fleet.start({
    size: 3,
    env: { METADATA_CENTER_READY_TIMEOUT: '5s' },
    memberEnv: (_index, folder) => {
      writeFileSync(fileOf(folder), OLD);
      return { METADATA_CENTER_AUTH_TOKENS_FILE: fileOf(folder) };
    },
  });
  fleet = await cleanUp.use(starting, (it) => it.stop());
  load = new Workload(seededRandom(5), fleet.urls);
  cleanUp.add(() => load.close());
});

afterAll(() => cleanUp.run());

async function metric(member: Member, series: string): Promise<number> {
  const text = await (await fetch(`${member.replica.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

/** Loses events on their way to a member, under load, and sees that it pulls them from a peer. */
async function repairs(member: Member): Promise<void> {
  const before = await metric(member, 'metacenter_snapshot_pulls_total');
  member.link.swallow(true);
  await load.more(20, 'events are lost');
  member.link.swallow(false);
  await until(async () => (await metric(member, 'metacenter_snapshot_pulls_total')) > before, {
    describe: 'the replica that lost events pulls them from a peer',
  });
}

function refusalsSeenBy(replica: ReplicaProcess): LogLine[] {
  const reason = 'the peer accepts none of the tokens of this replica';
  return replica.log.filter((line) => line['level'] === 'warn' && line['reason'] === reason);
}

async function rotate(member: Member, tokens: string): Promise<void> {
  const reads = (): number => member.replica.log.filter(({ msg }) => msg === 'files read again').length;
  const before = reads();
  writeFileSync(fileOf(member.folder), tokens);
  await until(() => reads() > before, { describe: 'the file is read again' });
}

async function eachSeesBothOthers(): Promise<void> {
  // Twice the interval of the health checks: what is seen then was asked with the tokens of now.
  await delay(1_000);
  for (const member of fleet.members) {
    await until(async () => (await metric(member, 'metacenter_peers{state="ready"}')) === 2, {
      describe: `${member.host} sees both others`,
    });
  }
}

it('I4: old, then both, then new, one replica at a time: no report is refused and every hole is repaired', async () => {
  const stages = [
    [OLD, `${OLD}\n${NEW}`],
    [NEW, NEW],
  ] as const;
  for (const [gatewayToken, tokens] of stages) {
    load.headers = { Authorization: `Bearer ${gatewayToken}` };
    load.start(3);
    for (const member of fleet.members) {
      await rotate(member, tokens);
      await repairs(member);
      await eachSeesBothOthers();
    }
    await load.stop();
    await load.converged(fleet.urls, 5_000);
  }
  expect(load.refused).toEqual([]);
  expect(load.reports).toBeGreaterThan(500);
  for (const { replica } of fleet.members) {
    expect(refusalsSeenBy(replica)).toEqual([]);
    expect(JSON.stringify(replica.log)).not.toMatch(/rotation-(old|new)-token/);
  }
  const answer = await fetch(`${fleet.urls[0]!}/v1/replica/status`, {
    headers: { Authorization: `Bearer ${OLD}` },
  });
  expect(answer.status).toBe(401);
});

it('a replica whose list has nothing in common with the others says so, and goes on by itself (I6)', async () => {
  const [alone, ...others] = fleet.members;
  await rotate(alone!, 'token-of-nobody-else');
  await until(() => refusalsSeenBy(alone!.replica).length === 2, { describe: 'it is logged for both peers' });
  await until(async () => (await metric(others[0]!, 'metacenter_peers{state="unreachable"}')) === 1, {
    describe: 'the others miss it',
  });
  expect((await fetch(`${alone!.replica.url}/readyz`)).status).toBe(200);
  const reached = (): number => alone!.replica.log.filter(({ msg }) => msg === 'peer reachable again').length;
  const before = reached();
  await rotate(alone!, NEW);
  await until(() => reached() === before + 2, { describe: 'it is logged that both are back' });
});
