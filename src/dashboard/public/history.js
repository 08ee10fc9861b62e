/** The last five minutes of what the page has seen, a sample a second: of every cluster, and of the selected one's engines. */
export const SECONDS = 300;
/** Beyond these, memory would matter more than a line that nobody looks at. */
const MOST_CLUSTERS = 500;
const MOST_ENGINES = 5_000;

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
    put(this.clusters, clusters, second, MOST_CLUSTERS);
    put(this.engines, engines, second, MOST_ENGINES);
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
