/** The body of `POST /v1/load/batch`, and what is read first of each of its events. */
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn } from 'class-validator';
import { inWords } from './rules';

export const MAX_BATCH_EVENTS = 512;

const events = inWords(`an array of 1 to ${MAX_BATCH_EVENTS} events`);

export class LoadBatchDto {
  /** Each an object; what they hold is checked one by one. */
  @IsArray(events)
  @ArrayMinSize(1, events)
  @ArrayMaxSize(MAX_BATCH_EVENTS, events)
  readonly events!: readonly unknown[];
}

/** The other members of an event are those of the report sent alone. */
export const BATCH_OPS = ['add', 'prompt-delete', 'delete', 'refresh', 'owner'] as const;
export type BatchOp = (typeof BATCH_OPS)[number];

export class BatchEventDto {
  @IsIn(BATCH_OPS, inWords(`one of ${BATCH_OPS.join(', ')}`))
  readonly op!: BatchOp;
}
