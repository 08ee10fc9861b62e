/** `GET /metrics` for Prometheus, which asks for it compressed. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Answers } from '../answers';
import { acceptsGzip } from '../content-encoding';
import type { HttpDependencies } from '../dependencies';
import type { Router } from '../router';

type Dependencies = Pick<HttpDependencies, 'registry'>;

const compressed = promisify(gzip);

export function addMetricsRoute(router: Router, answers: Answers, { registry }: Dependencies): void {
  router.add('/metrics', {
    get: async (req, res) => {
      const text = await registry.metrics();
      const varies = { Vary: 'Accept-Encoding' };
      if (acceptsGzip(req)) {
        const headers = { ...varies, 'Content-Encoding': 'gzip' };
        answers.text(req, res, registry.contentType, await compressed(text), headers);
      } else answers.text(req, res, registry.contentType, text, varies);
    },
  });
}
