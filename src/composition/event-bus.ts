/**
 * Builds the bus that the configuration asks for, and the history that is kept on it.
 */
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Bus, OnBusTrouble } from '../bus/bus';
import { GatherPause } from '../bus/gather-pause';
import { InProcessBus, InProcessHub } from '../bus/in-process-bus';
import { GATHER_MAX_MS, NATS_BUS_DEFAULTS, NatsBus } from '../bus/nats-bus';
import type { Config } from '../config/config';
import { type Lookup, SystemLookup } from '../dns/system-lookup';
import type { HistoryEvents } from '../history/history';
import { History } from '../history/history';
import { LARGEST_EVENT_BYTES } from '../wire/event-codec';

/** Servers are tried for 3 s each, and a lookup of the system ends within about 30 s: so many may hang. */
const NATS_LOOKUPS = { withinMs: 3_000, most: 8 } as const;

export interface EventBus {
  readonly bus: Bus;
  /** Undefined where nothing is kept: without NATS, or switched off. */
  readonly history: History | undefined;
}

export function createEventBus(
  { nats, history, load, subjectPrefix }: Config,
  clientName: string,
  onTrouble: OnBusTrouble,
  events: HistoryEvents,
  nowUs: () => number,
  logger: Logger,
): EventBus {
  if (!nats) return { bus: new InProcessBus(new InProcessHub(), onTrouble), history: undefined };
  const names = new SystemLookup(NATS_LOOKUPS);
  const lookUp: Lookup = (host) => names.addresses(host);
  const options = { ...NATS_BUS_DEFAULTS, ...nats, clientName, lookUp };
  const gather = new GatherPause(GATHER_MAX_MS, () => performance.now(), busyShare());
  const bus = new NatsBus(options, gather, Math.random, onTrouble);
  if (history.mode === 'off') return { bus, history: undefined };
  const { storage, replicas, maxBytes } = history;
  // A delete has a say for so long after its time; an add for less.
  const maxAgeMs = load.expireAfterMs + load.finishedRetentionMs;
  const historyOptions = {
    required: history.mode === 'required',
    stream: { subjectPrefix, storage, replicas, maxBytes, maxAgeMs },
    connection: { ...options, clientName: `${clientName} history` },
  };
  return { bus, history: new History(historyOptions, () => bus.server, events, nowUs, logger) };
}

/** Why some events can't be published, if so. */
export function payloadProblem({ maxPayload }: Bus): string | undefined {
  if (maxPayload === undefined || maxPayload >= LARGEST_EVENT_BYTES) return undefined;
  return `the NATS server takes messages of ${maxPayload} bytes at most (max_payload), and an event may have ${LARGEST_EVENT_BYTES}`;
}

/** Asks which share of the time since the last call the event loop was busy. */
function busyShare(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
