/** `GET /metrics` for Prometheus. */
import type { Answers } from '../answers';
import type { HttpDependencies } from '../dependencies';
import type { Router } from '../router';

type Dependencies = Pick<HttpDependencies, 'registry'>;

export function addMetricsRoute(router: Router, answers: Answers, { registry }: Dependencies): void {
  router.add('/metrics', {
    get: async (req, res) => answers.text(req, res, registry.contentType, await registry.metrics()),
  });
}
