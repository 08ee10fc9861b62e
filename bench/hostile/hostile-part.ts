/**
 * Forged events against real replicas, with honest gateways beside them: how long a replica's event loop is held, what the
 * honest wait, what the replicas say of each other, and whether their rows are right right after. And what it costs that
 * ids were searched for.
 */
import { Collected, type Part, type Row } from '../report/rows';
import { craftedRows, measureCrafted } from './crafted';
import { EQUAL_WITHIN_MS, measure, type Measured, type Setting, SCENARIOS, SETTINGS } from './scenarios';

/** A round takes nearly three minutes. */
const MOST_ROUNDS = 1;

export const hostilePart: Part = {
  name: 'hostile',
  async run({ rounds, say }) {
    const results = new Collected();
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
      for (const scenario of SCENARIOS) {
        for (const setting of SETTINGS) {
          const of = `${scenario.name}, ${setting}`;
          const measured = await measure(scenario, setting);
          say(`${of}, round ${round + 1}: ${JSON.stringify(measured)}`);
          for (const [name, value] of Object.entries(measured)) results.add(`${of} ${name}`, value as number);
        }
      }
    }
    const crafted = await measureCrafted(rounds, say);
    return [
      ...SETTINGS.flatMap((setting) =>
        SCENARIOS.flatMap(({ name }) => rowsOf(`${name}, ${setting}`, setting, results)),
      ),
      ...craftedRows(crafted),
    ];
  },
};

function rowsOf(of: string, setting: Setting, results: Collected): Row[] {
  const row = (name: keyof Measured, what: string, unit: string, atMost?: number): Row => ({
    part: 'hostile',
    name: `${of}: ${what}`,
    unit,
    values: results.of(`${of} ${name}`),
    ...(atMost !== undefined && { target: { atMost } }),
  });
  return [
    row('forgedPerSecond', 'forged events', 'a second'),
    row('turnCpuMs', 'longest turn, processor time', 'ms', 50),
    row('turnClockMs', 'longest turn, by the clock', 'ms', setting === 'alone' ? 50 : undefined),
    row('lagMaxMs', 'longest turn, by the metric', 'ms'),
    row('p50', 'honest p50', 'ms'),
    row('p99', 'honest p99', 'ms', setting === 'alone' ? 20 : undefined),
    row('worstP50', 'honest p50 of the worst second', 'ms'),
    row('worstP99', 'honest p99 of the worst second', 'ms', setting === 'alone' ? 20 : undefined),
    row('otherStates', 'looks at /readyz with a peer not ready', 'looks', 0),
    row('warnings', 'warnings of a replica', 'lines'),
    row('statusKib', 'largest status', 'KiB'),
    row('drift', 'wrong rows after 5 s', 'requests', 0),
    row('equalMs', 'until all rows were equal', 'ms', EQUAL_WITHIN_MS),
  ];
}
