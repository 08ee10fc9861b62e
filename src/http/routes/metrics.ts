/** `GET /metrics` for Prometheus. */
import type { Answers } from '../answers';
import type { HttpDependencies } from '../dependencies';
import type { Routes } from '../routes';

type Dependencies = Pick<HttpDependencies, 'registry'>;

export function addMetricsRoute(routes: Routes, answers: Answers, { registry }: Dependencies): void {
  routes.add('/metrics', {
    get: async (req, res) => answers.text(req, res, registry.contentType, await registry.metrics()),
  });
}
