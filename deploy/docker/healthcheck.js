/**
 * What the image's HEALTHCHECK runs: exits 0 when the replica in the same container answers 200 on the path that is given,
 * or else on /healthz. It stands apart from the service, because the image has no curl and must not need one.
 */
'use strict';

const tls = Boolean(process.env.HTTP_TLS_CERT_FILE);
const { get } = tls ? require('node:https') : require('node:http');

const host = process.env.HTTP_HOST || '0.0.0.0';
const options = {
  host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host,
  port: Number(process.env.HTTP_PORT || 8080),
  path: process.argv[2] || '/healthz',
  timeout: 2_000,
  // The question is whether the replica answers, not who it is: nothing secret is sent, and the way is the loopback.
  rejectUnauthorized: false,
};

get(options, (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
