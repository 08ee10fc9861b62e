/** Shows that the simulation would notice: it does so for every fault that is known to be easily made. */
import { CleanUp } from '../support/clean-up';
import { inPlainNode } from './in-plain-node';
import { MUTATIONS } from './mutations';
import type { Notice } from './notice';

let notices: ReadonlyMap<string, Notice>;
const cleanUp = new CleanUp();

beforeAll(async () => {
  const { result } = await inPlainNode(cleanUp, 'mutations');
  notices = new Map(MUTATIONS.map(({ name }, i) => [name, (result as Notice[])[i]!]));
});

afterAll(() => cleanUp.run());

describe('The simulation notices', () => {
  it.each(MUTATIONS)('$name', ({ name, shows }) => {
    const { violation, without } = notices.get(name)!;
    expect(violation).toMatch(shows);
    // It is the fault that shows, not the circumstances.
    expect(without).toBeUndefined();
  });
});
