/** Every route of the API document. */
import { OwnersQueryDto } from '../dto/owner.dto';
import { parameterSchemaOf } from './dto-schema';
import { DEFAULT_INTERVAL_MS, DEFAULT_OVERVIEW_INTERVAL_MS } from '../routes/watch';
import {
  clusterQuery,
  clustersQuery,
  body,
  content,
  errors,
  intervalQuery,
  json,
  ok,
  query,
  type Operation,
} from './operations';
import { MAX_LARGE_BODY_BYTES } from '../request-body';
import { errorEnvelopeWith, ref } from './schemas';

const NO_DATA = { type: 'null' };
/** What a body may be refused for, whatever is in it. */
const BODY_ERRORS = [
  'invalidInput',
  'authenticationFailed',
  'bodyTooLarge',
  'unknownEncoding',
  'crossSite',
] as const;
/** For routes that never ask for a token. */
const OPEN = { security: [] };

const stream = [
  'Server-sent events: `retry:`, then `rows` with all rows, then `changes` with those that changed and the keys of',
  'those that left, at most one message per interval. A comment is the heartbeat. Ids rise; after a reconnect all rows',
  'are sent again, so `Last-Event-ID` is not needed. A slow reader skips intermediate states and gets the latest one.',
].join(' ');

/** Who asks. A person need not say it. */
const asker = [
  query(
    'deployment',
    false,
    { type: 'string' },
    'The deployment of the replica that asks: another one is refused.',
  ),
  query('speaks', false, { type: 'integer' }, 'What that replica understands: the answer is written for it.'),
];

const deletion = [
  'Only `request_id` identifies the request. A first delete of an id that no replica has reported yet is answered 200',
  'and takes effect when its report arrives.',
].join(' ');

export const paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/v1/load/stats': {
    get: {
      operationId: 'getRows',
      tags: ['load'],
      summary: 'The rows of a cluster, in ascending order of address',
      parameters: [clusterQuery],
      responses: {
        ...ok('The rows; none for an unknown cluster', { type: 'array', items: ref('Row') }),
        ...errors('invalidInput', 'authenticationFailed'),
      },
    },
    post: {
      operationId: 'addRequest',
      tags: ['load'],
      summary: 'A request was routed to an engine',
      requestBody: body('LoadAdd'),
      responses: {
        ...ok('Counted, now or by an earlier copy of the same report', NO_DATA),
        ...errors(...BODY_ERRORS, 'duplicate', 'unavailable'),
      },
    },
    put: {
      operationId: 'refreshRequest',
      tags: ['load'],
      summary: 'A request still runs',
      description:
        'It counts for the expiry time from now on. Within a quarter of the expiry time of the report or refresh before it nothing is to be done. A replica that does not know the request takes it up where `cluster` and `ip` are given.',
      requestBody: body('LoadRefresh'),
      responses: {
        ...ok('It counts', NO_DATA),
        ...errors(...BODY_ERRORS, 'alreadyDeleted', 'requestNotFound', 'unavailable'),
      },
    },
    delete: {
      operationId: 'deleteRequest',
      tags: ['load'],
      summary: 'A request has finished',
      description: deletion,
      requestBody: body('LoadDelete'),
      responses: {
        ...ok('Taken off its row', NO_DATA),
        ...errors(...BODY_ERRORS, 'alreadyDeleted', 'unavailable'),
      },
    },
  },
  '/v1/load/select': {
    post: {
      operationId: 'selectEngine',
      tags: ['load'],
      summary: 'Choose an engine for a request, and count the request there',
      description:
        'The least cost, `prompt_length + request_cost × queued_req_num − credit`, among the candidates with room that this replica looks at.',
      requestBody: body('LoadSelect'),
      responses: {
        ...ok('The engine, and its row after the booking', ref('Selected')),
        ...errors(...BODY_ERRORS, 'duplicate', 'noEngine', 'unavailable'),
      },
    },
  },
  '/v1/load/owner': {
    put: {
      operationId: 'renewOwner',
      tags: ['load'],
      summary: 'A process of a gateway lives',
      description:
        'Renews its lease. When it has not been renewed for `ttl_ms`, and the owner has reported no request meanwhile, its requests stop counting until it is.',
      requestBody: body('OwnerRenew'),
      responses: { ...ok('Renewed', NO_DATA), ...errors(...BODY_ERRORS, 'unavailable') },
    },
    delete: {
      operationId: 'endOwner',
      tags: ['load'],
      summary: 'A process of a gateway is gone for good: its requests stop counting',
      requestBody: body('OwnerGone'),
      responses: { ...ok('Gone', NO_DATA), ...errors(...BODY_ERRORS, 'unavailable') },
    },
  },
  '/v1/load/owners': {
    get: {
      operationId: 'getOwners',
      tags: ['load'],
      summary: 'The processes of gateways, by name, and how many requests each holds',
      parameters: [
        query(
          'cluster',
          false,
          parameterSchemaOf(OwnersQueryDto, 'cluster'),
          'Only those that hold requests of this cluster, and how many of it.',
        ),
      ],
      responses: {
        ...ok('The owners', { type: 'array', items: ref('Owner') }),
        ...errors('invalidInput', 'authenticationFailed'),
      },
    },
  },
  '/v1/load/rows': {
    get: {
      operationId: 'getRowsOfClusters',
      tags: ['load'],
      summary: 'The rows of several clusters, all as they are at one moment',
      parameters: [clustersQuery],
      responses: {
        ...ok('The clusters, in the order in which they were asked for', {
          type: 'array',
          items: ref('ClusterRows'),
        }),
        ...errors('invalidInput', 'authenticationFailed'),
      },
    },
  },
  '/v1/load/batch': {
    post: {
      operationId: 'reportBatch',
      tags: ['load'],
      summary: 'Many reports at once',
      description:
        'Each event is taken as if it had been sent alone, in their order, and one that is refused keeps no other from its turn. So the answer is 200 whatever became of them; only the frame has errors of its own.',
      requestBody: body('LoadBatch', MAX_LARGE_BODY_BYTES),
      responses: {
        ...ok('How many were taken, and what became of the others', ref('BatchResult')),
        ...errors(...BODY_ERRORS),
      },
    },
  },
  '/v1/load/prompt': {
    delete: {
      operationId: 'deletePrompt',
      tags: ['load'],
      summary: 'The first token of a request came back: its prompt is prefilled',
      description: deletion,
      requestBody: body('LoadDelete'),
      responses: {
        ...ok('Its prompt is taken off its row', NO_DATA),
        ...errors(...BODY_ERRORS, 'alreadyDeleted', 'unavailable'),
      },
    },
  },
  '/v1/load/watch': {
    get: {
      operationId: 'watchRows',
      tags: ['load', 'streams'],
      summary: 'The rows of a cluster or of several, and what changes',
      description: `${stream} Where \`cluster\` is given more than once, the data of each event names its own in \`cluster\`.`,
      parameters: [clustersQuery, intervalQuery(DEFAULT_INTERVAL_MS)],
      responses: {
        ...content('The stream; the data of its events is a RowsEvent', 'text/event-stream'),
        ...errors('invalidInput', 'authenticationFailed', 'unavailable'),
      },
    },
  },
  '/v1/clusters': {
    get: {
      operationId: 'getClusters',
      tags: ['overview'],
      summary: 'Every cluster with its sums, by name',
      responses: {
        ...ok('The clusters', { type: 'array', items: ref('Cluster') }),
        ...errors('authenticationFailed'),
      },
    },
  },
  '/v1/overview/watch': {
    get: {
      operationId: 'watchOverview',
      tags: ['overview', 'streams'],
      summary: 'All clusters with their sums and the state of this replica, and what changes',
      description: `${stream} Rows are Clusters here and keyed by name. A third event, \`replica\`, carries the state of the replica. A fourth, \`recent\`, comes once and shows the last five minutes.`,
      parameters: [intervalQuery(DEFAULT_OVERVIEW_INTERVAL_MS)],
      responses: {
        ...content('The stream', 'text/event-stream'),
        ...errors('invalidInput', 'authenticationFailed', 'unavailable'),
      },
    },
  },
  '/v1/cache/query': {
    post: {
      operationId: 'queryCache',
      tags: ['cache'],
      summary: 'Which engines hold a leading part of the prompt in their cache',
      description:
        'Each hash stands for the whole prompt up to the end of its chunk. `length` is the number of leading chunks that the engine holds. Advisory: an engine may have dropped what it had.',
      requestBody: body('CacheQuery', MAX_LARGE_BODY_BYTES),
      responses: {
        ...ok('The engines, longest first, then by ascending address', ref('CacheLocations')),
        ...errors(...BODY_ERRORS),
      },
    },
  },
  '/v1/cache/save': {
    post: {
      operationId: 'saveCache',
      tags: ['cache'],
      summary: 'An engine holds these prefixes now',
      requestBody: body('CacheSave', MAX_LARGE_BODY_BYTES),
      responses: {
        ...ok('Saved, or known already', NO_DATA),
        ...errors(...BODY_ERRORS, 'unavailable'),
      },
    },
  },
  '/v1/cache': {
    delete: {
      operationId: 'clearCache',
      tags: ['cache'],
      summary: 'An engine was restarted, or its cache was cleared: what was saved before is gone',
      requestBody: body('CacheClear', MAX_LARGE_BODY_BYTES),
      responses: {
        ...ok('Cleared', NO_DATA),
        ...errors(...BODY_ERRORS, 'unavailable'),
      },
    },
  },
  '/log/level': {
    post: {
      operationId: 'setLogLevel',
      tags: ['operation'],
      summary: 'Set how much is logged',
      requestBody: body('LogLevel'),
      responses: {
        ...ok('Changed', { const: 'log level updated successfully' }),
        ...errors(...BODY_ERRORS),
      },
    },
  },
  '/metrics': {
    get: {
      operationId: 'getMetrics',
      tags: ['operation'],
      summary: 'Metrics',
      ...OPEN,
      responses: { ...content('Prometheus text', 'text/plain'), ...errors() },
    },
  },
  '/healthz': {
    get: {
      operationId: 'getHealth',
      tags: ['operation'],
      summary: 'The process lives',
      ...OPEN,
      responses: { ...ok('It does', NO_DATA), ...errors() },
    },
  },
  '/readyz': {
    get: {
      operationId: 'getReadiness',
      tags: ['operation'],
      summary: 'Whether the replica should get traffic, and if not, why',
      ...OPEN,
      responses: {
        ...ok('Ready, perhaps degraded', ref('Readiness')),
        ...errors(),
        '503': json('Not caught up yet, or shutting down', errorEnvelopeWith(ref('Readiness'))),
      },
    },
  },
  '/v1/replica/status': {
    get: {
      operationId: 'getReplicaStatus',
      tags: ['between replicas'],
      summary: 'What this replica has seen',
      parameters: [
        query(
          'digests_at_us',
          false,
          { type: 'integer', minimum: 0 },
          'Also answer digests of what matters at this time, in µs since 1970.',
        ),
        ...asker,
      ],
      responses: {
        ...ok('The status', ref('ReplicaStatus')),
        ...errors('invalidInput', 'authenticationFailed', 'otherDeployment'),
      },
    },
  },
  '/v1/replica/snapshot': {
    get: {
      operationId: 'getReplicaSnapshot',
      tags: ['between replicas'],
      summary: 'Everything that this replica holds, or the seconds asked for',
      parameters: [
        query(
          'adds',
          false,
          { type: 'string' },
          'Seconds as ranges: the first, how many follow it, and how far it is from there to the next range. 100,5,5,0 is 100 to 105, and 110.',
        ),
        query('deletions', false, { type: 'string' }, 'Ranges of seconds, as for adds.'),
        query(
          'since',
          false,
          { type: 'string' },
          'With the seconds: the counts that the comparison showed, such as 12,3. Deletions that have changed since then are added.',
        ),
        ...asker,
      ],
      responses: {
        ...content('One JSON value a line, the last of them an end mark', 'application/x-ndjson'),
        ...errors('invalidInput', 'authenticationFailed', 'otherDeployment', 'unavailable'),
      },
    },
  },
  '/v1/replica/cache': {
    get: {
      operationId: 'getReplicaCache',
      tags: ['between replicas'],
      summary: 'The prefix cache, for a replica that has just become ready',
      parameters: asker,
      responses: {
        ...content('One JSON value a line, the last of them an end mark', 'application/x-ndjson'),
        ...errors('invalidInput', 'authenticationFailed', 'otherDeployment', 'unavailable'),
      },
    },
  },
  '/': {
    get: {
      operationId: 'getDashboard',
      tags: ['pages'],
      summary: 'The dashboard',
      ...OPEN,
      responses: { ...content('A page', 'text/html'), ...errors() },
    },
  },
  '/docs': {
    get: {
      operationId: 'getDocs',
      tags: ['pages'],
      summary: 'This document as a page to read',
      ...OPEN,
      responses: { ...content('A page', 'text/html'), ...errors() },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      tags: ['pages'],
      summary: 'This document',
      ...OPEN,
      responses: { ...content('OpenAPI 3.1', 'application/json', { type: 'object' }), ...errors() },
    },
  },
  '/asyncapi.json': {
    get: {
      operationId: 'getAsyncApi',
      tags: ['pages'],
      summary: 'What replicas publish on the bus',
      ...OPEN,
      responses: { ...content('AsyncAPI 3.0', 'application/json', { type: 'object' }), ...errors() },
    },
  },
};
