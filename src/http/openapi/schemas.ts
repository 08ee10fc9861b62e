/** The named schemas of the API document: rows, reports, the envelope and what the streams carry. */
import { MAX_SUM } from '../../core/engine-stats';
import { MAX_NAME_LENGTH } from '../../core/event';
import { CacheClearDto, CacheQueryDto, CacheSaveDto, DEFAULT_TOPK } from '../dto/cache.dto';
import { LoadAddDto } from '../dto/load-add.dto';
import { BATCH_OPS, type BatchOp, LoadBatchDto } from '../dto/load-batch.dto';
import { LoadDeleteDto } from '../dto/load-delete.dto';
import { LoadRefreshDto } from '../dto/load-refresh.dto';
import {
  CandidateDto,
  DEFAULT_CHUNK_TOKENS,
  DEFAULT_REQUEST_COST,
  LoadSelectDto,
} from '../dto/load-select.dto';
import { DEFAULT_OWNER_TTL_MS, OwnerGoneDto, OwnerRenewDto } from '../dto/owner.dto';
import { LOG_LEVEL_NAMES, LogLevelDto } from '../dto/log-level.dto';
import { PEER_STATES } from '../../repair/peer';
import { errorKinds } from '../errors';
import { MAX_TRACE_ID_LENGTH } from '../trace-ids';
import { schemaOf } from './dto-schema';

export interface Schema {
  readonly description?: string;
  readonly format?: string;
  readonly [keyword: string]: unknown;
}

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

function object(properties: Record<string, Schema>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

const described = (schema: Schema, description: string): Schema => ({ ...schema, description });

const name: Schema = { type: 'string', minLength: 1, maxLength: MAX_NAME_LENGTH };
const count: Schema = { type: 'integer', minimum: 0 };
const sum: Schema = { type: 'integer', minimum: 0, maximum: MAX_SUM };
const ipv4: Schema = { type: 'string', format: 'ipv4', examples: ['10.0.0.7'] };
const owner: Schema = {
  description: "A random id of the gateway's process.",
  examples: ['gw-7f3a9c'],
};
const traceId = described(
  { type: 'string', minLength: 1, maxLength: MAX_TRACE_ID_LENGTH },
  'Also in the X-Trace-ID header.',
);
const updatedTime = described(
  { type: 'integer', format: 'int64', minimum: 0, examples: [1758350000000123000] },
  'Time of the last event that changed it, in nanoseconds since 1970.',
);
const loads = {
  queued_req_num: described(sum, `Requests in flight; larger sums are shown as ${MAX_SUM}.`),
  prompt_length: described(
    sum,
    `Prompt tokens that are not prefilled yet; larger sums are shown as ${MAX_SUM}.`,
  ),
  prefill_req_num: described(sum, 'Of the requests in flight those whose prompt is not prefilled yet.'),
  updated_time: updatedTime,
};

const deployment = described(
  { type: 'string' },
  'The subject prefix: only replicas of one deployment are peers.',
);
const level: Schema = { type: 'integer', minimum: 1 };
const speaks = described(level, 'The level of events and records that it understands.');
const bus = object({ connected: { type: 'boolean' }, reason: { type: 'string' } });
const discovery = object({
  state: { type: 'string', enum: ['none', 'starting', 'working', 'failing'] },
  reason: { type: 'string' },
});
const stateOfHistory = object({
  state: { type: 'string' },
  available: { type: 'boolean' },
  reason: { type: 'string' },
});

const errorMembers = {
  code: { type: 'integer', enum: Object.values(errorKinds).map(({ code }) => code) },
  message: { type: 'string' },
  reason: described({ type: 'string' }, 'What exactly was wrong. It names every bad field.'),
};
/** What the events of a batch hold besides their `op`. */
const OP_SCHEMAS: Readonly<Record<BatchOp, string>> = {
  add: 'LoadAdd',
  'prompt-delete': 'LoadDelete',
  delete: 'LoadDelete',
  refresh: 'LoadRefresh',
  owner: 'OwnerRenew',
};

export const schemas: Record<string, Schema> = {
  Row: object({ ip: ipv4, ...loads }),
  ClusterRows: object({ cluster: name, rows: { type: 'array', items: ref('Row') } }),
  Cluster: object({ cluster: name, engines: described(count, 'Engines that are listed.'), ...loads }),
  LoadAdd: schemaOf(LoadAddDto, {
    ip: { examples: ['10.0.0.7'] },
    prompt_length: { default: 0 },
    timestamp: {
      description:
        "The gateway's own time in nanoseconds. A report with the same request_id and timestamp counts once.",
    },
    owner,
  }),
  LoadRefresh: schemaOf(LoadRefreshDto, {
    cluster: { description: 'For a replica that does not know the request. "" counts as absent.' },
    ip: { description: 'Likewise.', examples: ['10.0.0.7'] },
    prompt_length: { default: 0, description: 'Likewise.' },
    timestamp: { description: 'Likewise.' },
    owner: described(owner, 'The process that holds the request now. Absent: the one on record.'),
  }),
  OwnerRenew: schemaOf(OwnerRenewDto, {
    owner,
    ttl_ms: {
      default: DEFAULT_OWNER_TTL_MS,
      description: 'How long it counts as alive without a sign of life.',
    },
  }),
  OwnerGone: schemaOf(OwnerGoneDto, { owner }),
  Owner: object({
    owner: { type: 'string' },
    in_flight: described(count, 'Requests that it holds, whether or not they count at present.'),
    alive: described(
      { type: 'boolean' },
      'Its requests count: it is not gone, nor silent for longer than its ttl.',
    ),
    renewed_time: described(
      { type: 'integer', format: 'int64', minimum: 0 },
      'Time of its last sign of life, a lease or a report of a request, in nanoseconds since 1970; 0: none is known.',
    ),
  }),
  LoadDelete: schemaOf(LoadDeleteDto),
  LoadBatch: schemaOf(LoadBatchDto, { events: { items: ref('LoadEvent') } }),
  LoadEvent: described(
    {
      type: 'object',
      oneOf: BATCH_OPS.map((op) => ({
        allOf: [object({ op: { const: op } }), ref(OP_SCHEMAS[op])],
      })),
    },
    `A report and its \`op\`: ${BATCH_OPS.map((op) => `\`${op}\` with what ${OP_SCHEMAS[op]} has`).join(', ')}.`,
  ),
  BatchResult: object({
    accepted: described(count, 'Events that are taken, or were before.'),
    failed: {
      type: 'array',
      items: object({
        index: described(count, 'Of the event among the events, from 0.'),
        ...errorMembers,
      }),
    },
  }),
  CacheQuery: schemaOf(CacheQueryDto, {
    topk: { description: `At most so many engines; 0 and absent: ${DEFAULT_TOPK}.` },
  }),
  CacheLocations: object({
    locations: {
      type: 'array',
      items: object({ ip: ipv4, length: described(count, 'Leading chunks that the engine holds.') }),
    },
  }),
  CacheSave: schemaOf(CacheSaveDto),
  CacheClear: schemaOf(CacheClearDto, {
    cluster: { description: 'Absent: in every cluster.' },
  }),
  LoadSelect: schemaOf(LoadSelectDto, {
    prompt_length: { default: 0 },
    timestamp: {
      description:
        'As in LoadAdd. A select with the same request_id and timestamp gets the engine on record.',
    },
    owner,
    candidates: {
      items: ref('Candidate'),
      description: 'Absent: the engines that have a row. One without a row counts as idle.',
    },
    request_cost: {
      default: DEFAULT_REQUEST_COST,
      description: 'Tokens that one request in flight is worth.',
    },
    max_queued: { description: 'An engine with as many requests in flight or more has no room.' },
    max_prompt_length: { description: 'An engine with as many tokens to prefill or more has no room.' },
    prompt_hash: {
      description:
        'The hashes of the prompt, as in CacheQuery: what an engine has cached is taken off its cost.',
    },
    chunk_tokens: { default: DEFAULT_CHUNK_TOKENS, description: 'Tokens of one chunk of prompt_hash.' },
    book: { default: true, description: 'False: only answer, count nothing.' },
  }),
  Candidate: {
    ...schemaOf(CandidateDto, { credit: { default: 0, description: 'Tokens taken off its cost.' } }),
    type: ['string', 'object'],
    format: 'ipv4',
    description: 'An address, or an object with an address and a credit.',
  },
  Selected: object({
    ip: ipv4,
    queued_req_num: loads.queued_req_num,
    prompt_length: loads.prompt_length,
    prefill_req_num: loads.prefill_req_num,
    considered: described(count, 'Engines that were looked at; 0 for a repeated select.'),
    booked: described({ type: 'boolean' }, 'The request counts at this engine.'),
    repeated: described({ type: 'boolean' }, 'It did so before: the engine is the one on record.'),
    degraded: described({ type: 'boolean' }, 'The replica may not know of every request: see /readyz.'),
  }),
  LogLevel: schemaOf(LogLevelDto, {
    LevelParam: { description: `One of ${LOG_LEVEL_NAMES.join(', ')}, in any case.` },
  }),
  Error: object(errorMembers),
  ErrorEnvelope: {
    ...object({
      status: { const: 'ERROR' },
      error: ref('Error'),
      data: { type: 'null' },
      trace_id: traceId,
    }),
    additionalProperties: false,
  },
  Readiness: object(
    {
      ready: { type: 'boolean' },
      degraded: described(
        { type: 'boolean' },
        'It serves, but something is missing, such as the bus; the reason says what.',
      ),
      reason: { type: 'string' },
      replica: { type: 'string' },
      deployment,
      speaks,
      fleet_speaks: described(level, 'The least that any replica known here speaks.'),
      bus,
      discovery: described(discovery, 'Whether the other replicas can be looked up.'),
      peers: {
        type: 'object',
        additionalProperties: { type: 'string', enum: [...PEER_STATES] },
      },
      history: stateOfHistory,
      missing_events: described(count, 'Lost events that are being asked for.'),
      clock_ahead_ms: described(
        { type: 'integer' },
        'How far its clock is ahead of those of the others; absent while none is heard.',
      ),
      limits: {
        description: 'The limits that are reached, with how many reports were refused since.',
        type: 'object',
        additionalProperties: object({ use: count, most: count, refused: count }),
      },
    },
    ['clock_ahead_ms'],
  ),
  ReplicaStatus: object(
    {
      replica: { type: 'string' },
      deployment,
      speaks,
      version: { type: 'string' },
      ready: { type: 'boolean' },
      time_us: { type: 'integer' },
      bus,
      history: stateOfHistory,
      counts: { type: 'object', additionalProperties: { type: 'integer' } },
      context: described(
        { type: 'array', items: { type: 'array', items: { type: ['string', 'integer'] } } },
        'Per origin: its id, the time of its newest event (µs), its highest seq, and the seqs seen as intervals.',
      ),
      levels: described(
        { type: 'array', items: { type: 'array', items: { type: ['string', 'integer'] } } },
        'Events above the first level: origin, level, and their seqs as intervals.',
      ),
      cut: described(
        { type: 'array', items: { type: 'string' } },
        'Origins of which the context leaves something out, for want of room.',
      ),
      digests: { type: 'object' },
    },
    ['digests'],
  ),
  RowsEvent: described(
    object(
      {
        cluster: described(name, 'Only where the stream was asked for with `cluster` given more than once.'),
        rows: { type: 'array', items: ref('Row') },
        removed: described({ type: 'array', items: ipv4 }, 'Engines that are no longer listed.'),
      },
      ['cluster'],
    ),
    'The data of the events `rows` (all rows: forget what you had) and `changes` (put these in, take those out).',
  ),
};

export function okEnvelopeOf(data: Schema): Schema {
  return {
    ...object({ status: { const: 'OK' }, error: { type: 'null' }, data, trace_id: traceId }),
    additionalProperties: false,
  };
}

/** An error that shows data all the same. */
export function errorEnvelopeWith(data: Schema): Schema {
  return {
    ...object({ status: { const: 'ERROR' }, error: ref('Error'), data, trace_id: traceId }),
    additionalProperties: false,
  };
}
