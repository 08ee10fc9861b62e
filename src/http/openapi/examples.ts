/** A body of each kind, as a gateway would send it. */
const ENGINE = { cluster: 'qwen3', ip: '10.0.0.7' };

export const EXAMPLES = {
  LoadAdd: { ...ENGINE, request_id: 'r1', prompt_length: 512 },
  LoadRefresh: { ...ENGINE, request_id: 'r1', prompt_length: 512 },
  LoadDelete: { request_id: 'r1' },
  LoadSelect: {
    cluster: 'qwen3',
    request_id: 'r2',
    prompt_length: 512,
    candidates: ['10.0.0.7', '10.0.0.8'],
  },
  LoadBatch: {
    events: [
      { op: 'add', ...ENGINE, request_id: 'r3', prompt_length: 512 },
      { op: 'delete', request_id: 'r1' },
    ],
  },
  OwnerRenew: { owner: 'gateway-1', ttl_ms: 15_000 },
  OwnerGone: { owner: 'gateway-1' },
  CacheQuery: { cluster: 'qwen3', prompt_hash: [17, 42], topk: 10 },
  CacheSave: { ...ENGINE, prompt_hash: [17, 42] },
  CacheClear: ENGINE,
  LogLevel: { LevelParam: 'info' },
} satisfies Record<string, object>;
