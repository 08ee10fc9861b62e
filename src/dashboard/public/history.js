/** The last five minutes of what the page has seen, a sample a second: of every cluster, and of the selected one's engines. */
export const SECONDS = 300;
/** Beyond these, memory would matter more than a line that nobody looks at. */
const MAX_CLUSTERS = 500;
const MAX_ENGINES = 5_000;

class Track {
  constructor() {
    this.queued = new Float64Array(SECONDS).fill(NaN);
    this.prompt = new Float64Array(SECONDS).fill(NaN);
    this.second = 0;
  }

  put(second, { queued_req_num, prompt_length }) {
    // Seconds that were missed are gaps.
    for (let at = Math.max(this.second + 1, second - SECONDS + 1); at < second; at++) this.set(at, NaN, NaN);
    this.set(second, queued_req_num, prompt_length);
    this.second = second;
  }

  /** Puts samples of `step` seconds each, the newest at `end`, where there is nothing yet. */
  fill(end, step, queued, prompt) {
    for (let at = Math.max(this.second + 1, end - SECONDS + 1); at <= end; at++) this.set(at, NaN, NaN);
    this.second = Math.max(this.second, end);
    for (let at = this.second; at > this.second - SECONDS && at > 0; at--) {
      const sample = queued.length - 1 - Math.floor((end - at) / step);
      if (at > end || sample < 0 || queued[sample] === null) continue;
      if (Number.isNaN(this.queued[at % SECONDS])) this.set(at, queued[sample], prompt[sample]);
    }
  }

  set(second, queued, prompt) {
    this.queued[second % SECONDS] = queued;
    this.prompt[second % SECONDS] = prompt;
  }
}

export class History {
  constructor() {
    this.clusters = new Map();
    this.engines = new Map();
  }

  sample(second, clusters, engines) {
    put(this.clusters, clusters, second, MAX_CLUSTERS);
    put(this.engines, engines, second, MAX_ENGINES);
  }

  /** What the replica remembers from before this page was opened. */
  remember(second, { sample_ms, age_ms, clusters }) {
    const end = second - Math.round(age_ms / 1_000);
    for (const { cluster, queued_req_num, prompt_length } of clusters) {
      let track = this.clusters.get(cluster);
      if (!track) this.clusters.set(cluster, (track = new Track()));
      track.fill(end, sample_ms / 1_000, queued_req_num, prompt_length);
    }
  }

  forgetEngines() {
    this.engines.clear();
  }

  /** For a chart that ends at `second`: times, queued requests and prompt tokens, null where there is no sample. */
  series(second, cluster, engine) {
    const track = engine === undefined ? this.clusters.get(cluster) : this.engines.get(engine);
    const times = [];
    const queued = [];
    const prompt = [];
    for (let at = second - SECONDS + 1; at <= second; at++) {
      const known = track && at <= track.second && at > track.second - SECONDS;
      const index = at % SECONDS;
      times.push(at);
      queued.push(known && !Number.isNaN(track.queued[index]) ? track.queued[index] : null);
      prompt.push(known && !Number.isNaN(track.prompt[index]) ? track.prompt[index] : null);
    }
    return { times, queued, prompt };
  }
}

function put(tracks, rows, second, most) {
  for (const [key, row] of rows) {
    let track = tracks.get(key);
    if (!track) {
      if (tracks.size >= most) continue;
      tracks.set(key, (track = new Track()));
    }
    track.put(second, row);
  }
  for (const [key, track] of tracks) if (second - track.second > SECONDS) tracks.delete(key);
}
