/**
 * Finds the stream that captures the load subjects, or makes it. Whichever replica comes first makes it; the others
 * find it, or are told that the name is taken and look again.
 */
import type { JetStreamLink } from './jetstream-link';
import { JetStreamFault } from './jetstream-link';
import type { StreamConfig, StreamInfo, StreamSettings } from './stream-config';
import { adjustmentOf, unusable, wantedConfig, withoutQuorum } from './stream-config';

export interface FoundStream {
  readonly info: StreamInfo;
  readonly how: 'found' | 'created' | 'updated';
  /** What an operator should know of its settings. */
  readonly notes: readonly string[];
}

/** Rejects with a JetStreamFault. */
export async function ensureStream(link: JetStreamLink, settings: StreamSettings): Promise<FoundStream> {
  const found = await findOrCreate(link, settings);
  refuse(unusable(found.info, settings.subjectPrefix));
  return found;
}

/** Looks at a stream that was in use. Rejects with a JetStreamFault when it is not, or not any more. */
export async function checkStream(
  link: JetStreamLink,
  name: string,
  { subjectPrefix }: StreamSettings,
): Promise<StreamInfo> {
  const info = await streamInfo(link, name);
  refuse(unusable(info, subjectPrefix));
  const problem = withoutQuorum(info);
  if (problem !== undefined) throw new JetStreamFault('passing', problem);
  return info;
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new JetStreamFault('refused', problem);
}

export function streamInfo(link: JetStreamLink, name: string): Promise<StreamInfo> {
  return link.request<StreamInfo>(`STREAM.INFO.${name}`);
}

async function findOrCreate(link: JetStreamLink, settings: StreamSettings): Promise<FoundStream> {
  const wanted = wantedConfig(settings);
  try {
    return await adjusted(link, await streamInfo(link, wanted.name), wanted, settings);
  } catch (error) {
    if (!isFault(error, 'stream-not-found')) throw error;
  }
  try {
    const info = await link.request<StreamInfo>(`STREAM.CREATE.${wanted.name}`, wanted);
    return { info, how: 'created', notes: [] };
  } catch (error) {
    if (isFault(error, 'name-in-use'))
      return adjusted(link, await streamInfo(link, wanted.name), wanted, settings);
    if (isFault(error, 'subjects-overlap')) return overlapping(link, wanted);
    throw error;
  }
}

async function adjusted(
  link: JetStreamLink,
  info: StreamInfo,
  wanted: StreamConfig,
  settings: StreamSettings,
): Promise<FoundStream> {
  refuse(unusable(info, settings.subjectPrefix));
  const { update, respected } = adjustmentOf(info.config, wanted);
  if (!update) return { info, how: 'found', notes: respected };
  try {
    const updated = await link.request<StreamInfo>(`STREAM.UPDATE.${wanted.name}`, update);
    return { info: updated, how: 'updated', notes: respected };
  } catch (error) {
    if (!isFault(error, 'refused')) throw error;
    return { info, how: 'found', notes: [...respected, `not updated: ${error.message}`] };
  }
}

/** Somebody else's stream captures the subjects: the server allows no second one. */
async function overlapping(link: JetStreamLink, wanted: StreamConfig): Promise<FoundStream> {
  const [subject] = wanted.subjects;
  const { streams } = await link.request<{ streams: string[] | null }>('STREAM.NAMES', { subject });
  const [name] = streams ?? [];
  if (name === undefined) {
    throw new JetStreamFault('refused', `some streams capture only a part of ${String(subject)}`);
  }
  const info = await streamInfo(link, name);
  const { respected } = adjustmentOf(info.config, wanted);
  return { info, how: 'found', notes: [`name ${name} instead of ${wanted.name}`, ...respected] };
}

function isFault(error: unknown, kind: JetStreamFault['kind']): error is JetStreamFault {
  return error instanceof JetStreamFault && error.kind === kind;
}
