/** What the demo can be told, and what it says of itself. */
import { argumentsOf, positive, type LastWords } from '../arguments';
import type { DemoOptions } from './demo';

const USAGE = {
  command: 'npm run demo',
  words: `Three replicas and a fleet of simulated engines, which gets the same traffic routed in four ways, while a replica is killed now and
then, which the demo says when it does. Look at the dashboard of another replica: its rows go on, and it names the peer that is
missing; at the one that is back: it has the same rows. At the end a table says how long requests waited for their first token,
and how far each replica is off from what really is in flight. It should be 0, and then the exit code is 0.`,
  options: {
    minutes: { default: '2', words: 'how long' },
    engines: { default: '24', words: 'engines for each way of routing' },
    rate: { default: '30', words: 'requests a second for each way of routing' },
    seed: { default: '1', words: 'the same seed makes the same traffic, engines and kills' },
    'kill-every': { default: '25', words: 'seconds between two kills, on average' },
  },
};

export function demoOptions(args: string[]): DemoOptions | LastWords {
  return argumentsOf(USAGE, args, (values) => {
    const number = (name: keyof typeof USAGE.options): number => positive(name, values[name]);
    return {
      seconds: 60 * number('minutes'),
      engines: number('engines'),
      rate: number('rate'),
      seed: number('seed'),
      killEverySeconds: number('kill-every'),
    };
  });
}
