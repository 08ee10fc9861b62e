/** The lives of requests at the gateways: one query, one add, one prompt-delete, one delete each. */
import type { Script } from './closed-loop';
import { addRequest, deleteRequest, promptDeleteRequest, queryRequest } from './requests';

const STEPS = [
  () => queryRequest(),
  (number: number) => addRequest(number),
  promptDeleteRequest,
  deleteRequest,
];

/** Of the requests that `overlapping` gives, whether number `n` is an add. */
export const isAdd = (n: number): boolean => n % STEPS.length === 1;

interface Life {
  readonly number: number;
  /** The next one. */
  step: number;
}

/** Lives between two of their steps. */
const WAITING = 64;

export class Lives {
  constructor(private nextNumber: number) {}

  /** For lanes that keep to one server each: the next step of a life is done by another lane, so at any server. */
  handedOn(): () => Script {
    const waiting: Life[] = [];
    return () => {
      let answered: Life | undefined;
      return (stopping) => {
        if (answered !== undefined && answered.step < STEPS.length) waiting.push(answered);
        const begins = !stopping && waiting.length < WAITING;
        answered = begins ? { number: this.nextNumber++, step: 0 } : waiting.shift();
        return answered && STEPS[answered.step++]!(answered.number);
      };
    };
  }

  /**
   * Lives that overlap: the request number `n` is the step `n mod 4` of a life that began `spread` lives ago for each
   * step behind it, so the last life is over 3 times `spread` lives after the last one began.
   */
  overlapping(lives: number, spread: number): (n: number) => string | undefined {
    const first = this.nextNumber;
    this.nextNumber += lives;
    return (n) => {
      const step = n % STEPS.length;
      const life = Math.floor(n / STEPS.length) - step * spread;
      return life >= 0 && life < lives ? STEPS[step]!(first + life) : undefined;
    };
  }
}
