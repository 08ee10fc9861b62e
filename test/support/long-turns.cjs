/**
 * Loaded before a replica's own code: says each turn of the event loop that is long, as a line of the log. Processor time is
 * that of the main thread alone, as Linux counts it: on a busy machine the clock says how long others had the core.
 */
const { openSync, readSync, writeSync } = require('node:fs');

/** Turns shorter than this are not said. */
const LONG_MS = 10;
/** A turn is measured from one timer to the next, so what came within this time before it counts too. */
const TICK_MS = 2;

const stat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const text = Buffer.alloc(64);

function cpuMs() {
  // The scheduler brings its count up to date for whoever asks in this way.
  process.cpuUsage();
  const length = readSync(stat, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ', 1)[0]) / 1e6;
}

let lastCpuMs = cpuMs();
let lastMs = performance.now();
setInterval(() => {
  const turn = { cpu_ms: cpuMs() - lastCpuMs, clock_ms: performance.now() - lastMs - TICK_MS };
  lastCpuMs += turn.cpu_ms;
  lastMs += turn.clock_ms + TICK_MS;
  if (turn.cpu_ms >= LONG_MS || turn.clock_ms >= LONG_MS) {
    writeSync(1, `${JSON.stringify({ level: 'debug', time: new Date(), msg: 'long turn', ...turn })}\n`);
  }
}, TICK_MS).unref();
