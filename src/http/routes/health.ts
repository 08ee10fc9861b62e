/** `/healthz`: the process lives. `/readyz`: it should get traffic, and the details of why or why not. */
import type { Answers } from '../answers';
import type { HttpDependencies } from '../dependencies';
import { ApiError } from '../errors';
import type { Router } from '../router';

type Dependencies = Pick<HttpDependencies, 'readiness'>;

export function addHealthRoutes(router: Router, answers: Answers, { readiness }: Dependencies): void {
  router.json('/healthz', { get: () => 'null' });
  router.add('/readyz', {
    get: (req, res) => {
      const { ready, reason, body } = readiness();
      const dataJson = JSON.stringify(body);
      if (ready) answers.ok(req, res, dataJson);
      else answers.error(req, res, new ApiError('unavailable', `not ready: ${reason}`), dataJson);
    },
  });
}
