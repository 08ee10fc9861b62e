/** The lives of requests at the gateways: one query, one add, one prompt-delete, one delete each. */
import type { Script } from './closed-loop';
import { addRequest, deleteRequest, promptDeleteRequest, queryRequest } from './requests';

const STEPS = [
  () => queryRequest(),
  (number: number) => addRequest(number),
  promptDeleteRequest,
  deleteRequest,
];

export class Lives {
  constructor(private nextNumber: number) {}

  /** One life after the other. */
  script(): Script {
    let step = 0;
    let number = 0;
    return (stopping) => {
      if (step === 0) {
        if (stopping) return undefined;
        number = this.nextNumber++;
      }
      const request = STEPS[step]!(number);
      step = (step + 1) % STEPS.length;
      return request;
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
