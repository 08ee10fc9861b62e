/**
 * Which engine gets a request. A function of the candidates, the request's id and the replica's share: no clock, no chance.
 * Of the candidates with room those `d` are looked at that a hash of the id and the engine puts first, and the least cost wins.
 */
import { mix32 } from './mix32';

export interface Candidate {
  readonly ip: string;
  /** As a number; no two candidates have the same. */
  readonly address: number;
  readonly queuedRequests: number;
  readonly promptLength: number;
  /** Tokens taken off its cost, where there are any: a row is a candidate as it is. */
  readonly credit?: number;
}

export interface ChoiceRules {
  /** Tokens that one request in flight is worth. */
  readonly requestCost: number;
  /** An engine that has as many or more has no room. */
  readonly maxQueued: number;
  readonly maxPromptLength: number;
  /** This replica's share of the cluster's adds, above 0, at most 1. */
  readonly ownShare: number;
}

export interface Choice {
  readonly ip: string;
  /** Engines that were looked at. */
  readonly considered: number;
}

/** Replicas that each look at the whole would all choose the same engine. One of a few is much better than any. */
const FEWEST_CONSIDERED = 2;

/**
 * Undefined where no candidate has room. Two passes over the candidates, whatever the id, and where not all are looked at their
 * hashes are sorted.
 */
export function chooseEngine(
  candidates: readonly Candidate[],
  requestId: string,
  { requestCost, maxQueued, maxPromptLength, ownShare }: ChoiceRules,
): Choice | undefined {
  const seeds = seedsOf(requestId);
  const withRoom: Candidate[] = [];
  const hashesOfAll = new Uint32Array(candidates.length);
  for (const engine of candidates) {
    if (engine.queuedRequests >= maxQueued || engine.promptLength >= maxPromptLength) continue;
    hashesOfAll[withRoom.length] = engineHash(seeds, engine.address);
    withRoom.push(engine);
  }
  if (withRoom.length === 0) return undefined;
  const hashes = hashesOfAll.subarray(0, withRoom.length);
  const considered = consideredOf(withRoom.length, ownShare);
  const last = considered < hashes.length ? hashes.slice().sort()[considered - 1]! : 0xffffffff;
  let best = withRoom[0]!;
  let bestCost = Infinity;
  let bestHash = 0;
  for (let i = 0; i < hashes.length; i++) {
    const hash = hashes[i]!;
    if (hash > last) continue;
    const engine = withRoom[i]!;
    const cost = engine.promptLength + requestCost * engine.queuedRequests - (engine.credit ?? 0);
    if (cost < bestCost || (cost === bestCost && hash < bestHash)) {
      best = engine;
      bestCost = cost;
      bestHash = hash;
    }
  }
  return { ip: best.ip, considered };
}

export function consideredOf(candidates: number, ownShare: number): number {
  return Math.min(candidates, Math.max(FEWEST_CONSIDERED, Math.ceil(candidates * ownShare)));
}

/** Two words out of an id, the same at every replica. They only spread requests over engines: nothing is looked up by them. */
export function seedsOf(requestId: string): readonly [number, number] {
  let a = 0x9e3779b9;
  let b = 0x7f4a7c15;
  for (let i = 0; i < requestId.length; i++) {
    const unit = requestId.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca77);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b ^ unit, 0x27d4eb2f);
    b = (b << 17) | (b >>> 15);
  }
  return [mix32(a), mix32(b)];
}

/** 32 bits, unsigned. Each step can be undone, so two engines never have the same one for an id. */
export function engineHash([a, b]: readonly [number, number], address: number): number {
  return mix32(mix32(a ^ address) ^ b) >>> 0;
}
