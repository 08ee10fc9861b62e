/**
 * Keeps web pages of other origins from changing anything. A browser sends a simple POST to any address without asking, and a
 * name can be rebound to a replica's address. Browsers say in `Sec-Fetch-Site` and `Origin` where a request comes from;
 * gateways send neither.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Whether it comes from a page that this replica did not serve. */
export function isCrossSite({ headers }: IncomingMessage): boolean {
  if (headers['sec-fetch-site'] === 'cross-site') return true;
  return headers.origin !== undefined && !isOwnAddress(headers.origin, headers.host);
}

/** A name proves nothing, whoever owns it can point it here; an address is where the page itself came from. */
function isOwnAddress(origin: string, host: string | undefined): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url === undefined || url.host !== host) return false;
  return url.hostname === 'localhost' || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0;
}
