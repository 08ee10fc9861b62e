/** The OpenAPI 3.1 document of this service. */
import { paths } from './paths';
import { schemas } from './schemas';

const about = [
  'Live load of inference engines for AI gateways. Gateways report every request that they route, and read how busy',
  'each engine is. JSON answers are wrapped in an envelope; `error.code` tells errors apart. Where tokens are configured,',
  'every route under `/v1/` and `/log/` needs one.',
].join(' ');

export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Metadata Center',
      version,
      description: about,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
    paths,
    components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}
