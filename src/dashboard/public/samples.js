/** The last five minutes of what the page has seen, a sample a second: of every cluster, and of the selected one's engines. */
export const SECONDS = 300;
/** Beyond these, memory would matter more than a line that nobody looks at. */
const MAX_CLUSTERS = 500;
const MAX_ENGINES = 5_000;
const LATE_SECONDS = 3;
/** What is shorter is drawn as long as this. */
const LEAST_SECONDS = 60;

class Track {
  constructor() {
    this.queued = new Float64Array(SECONDS).fill(NaN);
    this.prompt = new Float64Array(SECONDS).fill(NaN);
    this.second = 0;
  }

  put(second, { queued_req_num, prompt_length }) {
    // A timer may skip a second; more than a few that were missed are a gap.
    const late = second - this.second <= LATE_SECONDS;
    const [queued, prompt] = [this.queued[this.second % SECONDS], this.prompt[this.second % SECONDS]];
    for (let at = Math.max(this.second + 1, second - SECONDS + 1); at < second; at++)
      this.set(at, late ? queued : NaN, late ? prompt : NaN);
    this.set(second, queued_req_num, prompt_length);
    this.second = second;
  }

  /** Puts samples of `step` seconds each, the newest at `end`, where there is nothing yet. */
  fill(now, end, step, queued, prompt) {
    for (let at = Math.max(this.second + 1, now - SECONDS + 1); at <= now; at++) this.set(at, NaN, NaN);
    this.second = Math.max(this.second, end);
    for (let at = this.second; at > this.second - SECONDS && at > 0; at--) {
      const sample = queued.length - 1 - Math.floor((end - at) / step);
      if (at > end || sample < 0 || queued[sample] === null) continue;
      if (Number.isNaN(this.queued[at % SECONDS])) this.set(at, queued[sample], prompt[sample]);
    }
    // Until the page's own first sample the newest one holds.
    const newest = end % SECONDS;
    for (let at = end + 1; at <= now; at++) {
      if (at > this.second) this.second = at;
      if (end > now - SECONDS && Number.isNaN(this.queued[at % SECONDS]))
        this.set(at, this.queued[newest], this.prompt[newest]);
    }
  }

  set(second, queued, prompt) {
    this.queued[second % SECONDS] = queued;
    this.prompt[second % SECONDS] = prompt;
  }
}

export class Samples {
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
      track.fill(second, end, sample_ms / 1_000, queued_req_num, prompt_length);
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
    const first = queued.findIndex((value) => value !== null);
    const skip = Math.min(first < 0 ? SECONDS : first, SECONDS - LEAST_SECONDS);
    return { times: times.slice(skip), queued: queued.slice(skip), prompt: prompt.slice(skip) };
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
