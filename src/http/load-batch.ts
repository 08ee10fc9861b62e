/**
 * Many reports in one body: each is taken as if it had been sent alone, in their order. One that is refused keeps no other from
 * its turn (I18), so only what is wrong with the frame is an error of the whole.
 */
import { JsonObject } from '../wire/json-object';
import { DtoCheck } from './dto/dto-check';
import { BatchEventDto, LoadBatchDto } from './dto/load-batch.dto';
import { ApiError } from './errors';
import type { LoadReports } from './load-reports';

export interface BatchResult {
  readonly accepted: number;
  readonly failed: readonly {
    /** Of the event among the events, from 0. */
    readonly index: number;
    readonly code: number;
    readonly message: string;
    readonly reason: string;
  }[];
}

export function loadBatch(reports: LoadReports): (body: JsonObject) => BatchResult {
  const frame = new DtoCheck(LoadBatchDto);
  const eventHead = new DtoCheck(BatchEventDto);

  const take = (event: unknown): void => {
    if (!(event instanceof JsonObject)) throw new ApiError('invalidInput', 'the event must be an object');
    const { op } = eventHead.object(event);
    reports[op](event);
  };

  return (body) => {
    frame.object(body);
    const events = body.elements('events');
    const failed: BatchResult['failed'][number][] = [];
    for (const [index, event] of events.entries()) {
      try {
        take(event);
      } catch (error) {
        // A fault of the software fails the whole and is logged: a copy of what was taken before it counts once.
        if (!(error instanceof ApiError)) throw error;
        const { code, message } = error.kind;
        failed.push({ index, code, message, reason: error.reason });
      }
    }
    return { accepted: events.length - failed.length, failed };
  };
}
