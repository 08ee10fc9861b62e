import type { Feed } from '../../src/watch/feed';
import { type Sink, Watcher } from '../../src/watch/watcher';

class Recorder implements Sink {
  readonly written: string[] = [];
  readonly ends: boolean[] = [];
  hasRoom = true;

  write(bytes: Buffer): boolean {
    this.written.push(bytes.toString());
    return this.hasRoom;
  }

  end(cut: boolean): void {
    this.ends.push(cut);
  }
}

class CountingFeed implements Feed {
  version = 1;

  refresh(): void {
    this.version++;
  }

  messageSince(version: number): Buffer {
    return Buffer.from(`${version} to ${this.version}`);
  }
}

describe('a watcher', () => {
  it('is sent nothing while its connection is full, and then everything since in one message (I7)', () => {
    const feed = new CountingFeed();
    const sink = new Recorder();
    const watcher = new Watcher([feed], sink);
    sink.hasRoom = false;
    expect(watcher.tick()).toBe(1);
    for (let i = 0; i < 5; i++) {
      feed.refresh();
      expect(watcher.tick()).toBe(0);
      watcher.beat();
    }
    sink.hasRoom = true;
    watcher.drained();
    expect(watcher.tick()).toBe(1);
    expect(sink.written).toEqual(['0 to 1', '1 to 6']);
  });

  it('is sent its feeds in turn, though the first of them change all the time and its connection is slow', () => {
    const feeds = [new CountingFeed(), new CountingFeed(), new CountingFeed()];
    const sink = new Recorder();
    const watcher = new Watcher(feeds, sink);
    sink.hasRoom = false;
    for (let i = 0; i < 6; i++) {
      expect(watcher.tick()).toBe(1);
      for (const feed of feeds) feed.refresh();
      watcher.drained();
    }
    expect(sink.written).toEqual(['0 to 1', '0 to 2', '0 to 3', '1 to 4', '2 to 5', '3 to 6']);
  });

  it('is sent heartbeats only where nothing else was sent', () => {
    const feed = new CountingFeed();
    const sink = new Recorder();
    const watcher = new Watcher([feed], sink);
    watcher.tick();
    watcher.beat();
    expect(sink.written).toHaveLength(1);
    watcher.beat();
    expect(sink.written.at(-1)).toBe(': heartbeat\n\n');
  });

  it('is sent nothing after its end, drained or not: a write after the end would be an error', () => {
    for (const hasRoom of [true, false]) {
      const feed = new CountingFeed();
      const sink = new Recorder();
      sink.hasRoom = hasRoom;
      const watcher = new Watcher([feed], sink);
      watcher.tick();
      watcher.end();
      watcher.drained();
      feed.refresh();
      watcher.tick();
      watcher.beat();
      watcher.beat();
      watcher.end();
      expect(sink.written).toHaveLength(1);
      expect(sink.ends).toEqual([!hasRoom]);
    }
  });
});
