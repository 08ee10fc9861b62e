/** What the client takes from the world around it, as arguments: a test, or another runtime, brings its own. */
import { randomBytes, randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';

export interface Surroundings {
  /** Never goes back; where it begins does not matter. */
  readonly monotonicMs: () => number;
  /** The time of day, for the timestamps by which resends are recognised. */
  readonly timestampNs: () => bigint;
  /** An id that nobody has used. */
  readonly newId: () => string;
  /** An integer from 0 on that is less than `below`. */
  readonly random: (below: number) => number;
  /** The IPv4 addresses behind a name. */
  readonly lookup: (name: string) => Promise<readonly string[]>;
  readonly fetch: typeof fetch;
}

export const nodeSurroundings: Surroundings = {
  monotonicMs: () => performance.now(),
  timestampNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000)) * 1_000n,
  newId: () => randomBytes(16).toString('base64url'),
  random: (below) => randomInt(below),
  lookup: async (name) => (await lookup(name, { all: true, family: 4 })).map(({ address }) => address),
  fetch: (...args) => fetch(...args),
};
