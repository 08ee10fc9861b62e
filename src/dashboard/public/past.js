/** What the replica said of itself over the last minute, for rates and for what has just grown. */
const LATELY_US = 10_000_000;
const MINUTE_US = 60_000_000;

export class Past {
  constructor() {
    this.states = [];
  }

  take(state) {
    if (this.states[0]?.replica !== state.replica) this.states = [];
    this.states.push(state);
    const oldest = this.states.findIndex(({ time_us }) => time_us >= state.time_us - MINUTE_US);
    this.states.splice(0, oldest);
  }

  get lately() {
    const now = this.states.at(-1).time_us;
    return this.states.find(({ time_us }) => time_us >= now - LATELY_US);
  }

  get aMinuteAgo() {
    return this.states[0];
  }
}
