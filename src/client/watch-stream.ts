/** Keeps the stream of a view open, at one replica after the other, until it is ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { Addresses } from './addresses';
import type { ReplicaChoice } from './replica-choice';
import type { Surroundings } from './surroundings';
import type { Transport } from './transport';
import type { View } from './view';

/** For the head of the answer. */
const OPEN_MS = 1_000;
/** Longer than a heartbeat may take: whoever is silent for so long is gone. */
const SILENT_MS = 15_000;
const NO_ADDRESS_MS = 500;

export interface StreamParts {
  readonly addresses: Addresses;
  readonly choice: ReplicaChoice;
  readonly transport: Transport;
  readonly surroundings: Surroundings;
  readonly timeoutMs: number;
}

/** Resolves when `signal` has ended it. */
export async function keepOpen(
  view: View,
  intervalMs: number,
  { addresses, choice, transport, surroundings, timeoutMs }: StreamParts,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/load/watch?cluster=${encodeURIComponent(view.cluster)}&interval_ms=${intervalMs}`;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    let address: string | undefined;
    try {
      await addresses.ready(timeoutMs);
      await pause(choice.pauseMs(surroundings.monotonicMs()), signal);
      address = choice.pick(view.cluster, new Set(), surroundings.monotonicMs())!;
      if (!isOver()) await readOne(view, address);
    } catch {
      // Whatever it was, the next replica may do better; how it stands is told by `live` and `ageMs`.
      if (address === undefined) await pause(NO_ADDRESS_MS, signal);
    }
    view.lost();
    if (address !== undefined && !isOver()) choice.failed(address, surroundings.monotonicMs());
  }

  async function readOne(of: View, address: string): Promise<void> {
    const end = new AbortController();
    const abort = (): void => end.abort();
    signal.addEventListener('abort', abort);
    let timer = setTimeout(abort, OPEN_MS);
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (!of.live) choice.answered(address);
        of.take(event ?? '', data);
      },
    });
    try {
      const response = await transport.open(address, { method: 'GET', path }, end.signal);
      if (response.status !== 200 || !response.body) throw new Error(`answered ${response.status}`);
      const text = new TextDecoder();
      for await (const bytes of response.body) {
        clearTimeout(timer);
        timer = setTimeout(abort, SILENT_MS).unref();
        of.heard();
        parser.feed(text.decode(bytes, { stream: true }));
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      end.abort();
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
