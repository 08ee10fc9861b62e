/** What calls fail with. */

export class MetadataCenterError extends Error {
  override readonly name: string = 'MetadataCenterError';

  constructor(
    /** As in the API reference; 0 where no replica answered. */
    readonly code: number,
    /** Of HTTP; 0 where no replica answered. */
    readonly status: number,
    /** In words, for people. */
    readonly reason: string,
    /** Under which the replica's log has it; undefined where no replica answered. */
    readonly traceId: string | undefined,
    options?: ErrorOptions,
  ) {
    super(code === 0 ? reason : `${code}: ${reason}`, options);
  }
}

/** A select found no engine with room. */
export class NoEngineError extends MetadataCenterError {
  override readonly name = 'NoEngineError';
}

export const Codes = {
  duplicate: 40001000,
  invalidInput: 40001400,
  alreadyDeleted: 40001404,
  noEngine: 42901000,
  unavailable: 50301000,
} as const;
