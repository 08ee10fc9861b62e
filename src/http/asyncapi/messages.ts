/** What replicas publish, message by message, as JSON Schema: for whoever taps the bus. Tests hold real messages to it. */
import { MAX_HASHES_PER_EVENT } from '../../cache/cache-events';
import {
  MAX_NAME_LENGTH,
  ORIGIN,
  OWNER,
  MAX_OWNER_TTL_MS,
  MAX_PROMPT_LENGTH,
  MAX_TIMESTAMP_DIGITS,
  MIN_OWNER_TTL_MS,
} from '../../core/event';
import { MAX_NAMED_ORIGINS } from '../../repair/protocol';
import { cacheSubjects, heartbeatSubject, subjectOf } from '../../wire/subjects';
import type { Schema } from '../openapi/schemas';

export interface Message {
  /** Of its subject, behind the prefix. */
  readonly subject: string;
  readonly summary: string;
  readonly payload: Schema;
  readonly example: object;
}

const text = (description: string): Schema => ({ type: 'string', description });
const natural = (description: string): Schema => ({ type: 'integer', minimum: 0, description });

const origin: Schema = {
  type: 'string',
  pattern: ORIGIN.source,
  description: 'The process that published it: a new random id at each start.',
};
const name: Schema = { type: 'string', minLength: 1, maxLength: MAX_NAME_LENGTH };
const ip: Schema = { type: 'string', format: 'ipv4', description: 'The engine.' };
const requestId: Schema = { ...name, description: 'The request, as its gateway named it.' };
const owner: Schema = {
  type: 'string',
  pattern: OWNER.source,
  description: 'A process of a gateway, by the id that it gave itself.',
};
const cluster: Schema = { ...name, description: 'The engines that serve one model.' };

function message(members: Record<string, Schema>, optional: readonly string[] = []): Schema {
  return {
    type: 'object',
    properties: members,
    required: Object.keys(members).filter((member) => !optional.includes(member)),
  };
}

/** What all events begin with. */
const head = (type: string): Record<string, Schema> => ({
  v: { const: 1, description: 'Of this form. A later one changes no row at replicas that do not know it.' },
  type: { const: type },
  origin,
  seq: { type: 'integer', minimum: 1, description: "Counts the origin's events from 1, without holes." },
  time_us: natural("Microseconds since 1970 by the origin's clock."),
});

const TIME = 1_795_299_758_006_774;
const exampleHead = (type: string): object => ({
  v: 1,
  type,
  origin: 'CkgQujNF3cq1oAiP',
  seq: 1,
  time_us: TIME,
});

/** Subjects are made for any prefix; what stands behind it is the same. */
const behindPrefix = (subject: string): string => subject.slice('x.'.length);
const { save, clear } = cacheSubjects('x');

export const messages: Readonly<Record<string, Message>> = {
  add: {
    subject: behindPrefix(subjectOf('x', 'add')),
    summary: 'A request was routed to an engine, or still runs there',
    payload: message(
      {
        ...head('add'),
        request_id: requestId,
        cluster,
        ip,
        prompt_length: { type: 'integer', minimum: 0, maximum: MAX_PROMPT_LENGTH, description: 'Tokens.' },
        timestamp: {
          type: 'integer',
          format: 'int64',
          description: `The gateway's own time in nanoseconds, at most ${MAX_TIMESTAMP_DIGITS} digits, all of which count: it serves to recognise a resend. Absent where the gateway gave none.`,
        },
        owner: {
          ...owner,
          description: 'The process that holds the request. Absent where the gateway gave none.',
        },
      },
      ['timestamp', 'owner'],
    ),
    example: {
      ...exampleHead('add'),
      request_id: 'a1',
      cluster: 'llama-70b',
      ip: '10.0.0.7',
      prompt_length: 512,
    },
  },
  'prompt-delete': {
    subject: behindPrefix(subjectOf('x', 'prompt-delete')),
    summary: 'The first token of a request came back: its prompt no longer counts',
    payload: message({ ...head('prompt-delete'), request_id: requestId }),
    example: { ...exampleHead('prompt-delete'), request_id: 'a1' },
  },
  delete: {
    subject: behindPrefix(subjectOf('x', 'delete')),
    summary: 'A request has finished',
    payload: message({ ...head('delete'), request_id: requestId }),
    example: { ...exampleHead('delete'), request_id: 'a1' },
  },
  owner: {
    subject: behindPrefix(subjectOf('x', 'owner')),
    summary: 'A process of a gateway lives',
    payload: message({
      ...head('owner'),
      owner,
      ttl_ms: {
        type: 'integer',
        minimum: MIN_OWNER_TTL_MS,
        maximum: MAX_OWNER_TTL_MS,
        description: 'How long its requests count after this, and after each add that names it.',
      },
    }),
    example: { ...exampleHead('owner'), owner: 'gateway-1', ttl_ms: 15_000 },
  },
  'owner-gone': {
    subject: behindPrefix(subjectOf('x', 'owner-gone')),
    summary: 'A process of a gateway is gone for good: its requests stop counting',
    payload: message({ ...head('owner-gone'), owner }),
    example: { ...exampleHead('owner-gone'), owner: 'gateway-1' },
  },
  'cache-save': {
    subject: behindPrefix(save),
    summary: 'An engine holds these prefixes now',
    payload: message({
      ...head('cache-save'),
      cluster,
      ip,
      hashes: {
        type: 'array',
        minItems: 1,
        maxItems: MAX_HASHES_PER_EVENT,
        items: { type: 'string', pattern: '^[0-9a-f]{16}$' },
        description: '64 bits each, for the prompt up to the end of a chunk.',
      },
    }),
    example: {
      ...exampleHead('cache-save'),
      cluster: 'llama-70b',
      ip: '10.0.0.7',
      hashes: ['b2a5c3d4e5f60718'],
    },
  },
  'cache-clear': {
    subject: behindPrefix(clear),
    summary: 'An engine was restarted, or its cache cleared',
    payload: message(
      {
        ...head('cache-clear'),
        cluster: { ...cluster, description: 'Absent: in every cluster.' },
        ip,
      },
      ['cluster'],
    ),
    example: { ...exampleHead('cache-clear'), ip: '10.0.0.7' },
  },
  heartbeat: {
    subject: behindPrefix(heartbeatSubject('x')),
    summary: 'Between replicas, once a second: which events there are. May change without notice',
    payload: message({
      v: { const: 1 },
      replica: origin,
      deployment: text('The subject prefix.'),
      speaks: { type: 'integer', minimum: 1, description: 'The level of events that it understands.' },
      ready: { type: 'boolean' },
      time_us: natural("Microseconds since 1970 by the replica's clock."),
      highest: {
        type: 'array',
        maxItems: MAX_NAMED_ORIGINS,
        items: {
          type: 'array',
          items: false,
          prefixItems: [origin, natural('When it was heard of last.'), natural('Its highest seq.')],
        },
        description: 'Per origin, the sender first.',
      },
    }),
    example: {
      v: 1,
      replica: 'CkgQujNF3cq1oAiP',
      deployment: 'metadata-center',
      speaks: 1,
      ready: true,
      time_us: TIME,
      highest: [['CkgQujNF3cq1oAiP', TIME, 1]],
    },
  },
};
