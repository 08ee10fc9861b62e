/**
 * What people look at: the dashboard, the API document and its readable form, and the document of the events. Everything is in memory from the start, comes
 * from this replica, and may load nothing from anywhere else.
 */
import type { Answers, Headers } from '../answers';
import type { Page } from '../../dashboard/pages';
import { asyncApiDocument } from '../asyncapi/document';
import { openApiDocument } from '../openapi/document';
import { docsPage } from '../openapi/docs-page';
import type { Router } from '../router';

const JSON_TYPE = 'application/json; charset=utf-8';
const PAGE_HEADERS: Headers = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
  // A replica that was upgraded must not be shown by yesterday's scripts.
  'Cache-Control': 'no-cache',
};

export function addPageRoutes(
  router: Router,
  answers: Answers,
  version: string,
  pages: readonly Page[],
): void {
  const serve = (path: string, contentType: string, text: string, headers = PAGE_HEADERS): void =>
    router.add(path, { get: (req, res) => answers.text(req, res, contentType, text, headers) });
  for (const { path, contentType, text } of pages) serve(path, contentType, text);
  serve('/docs', 'text/html; charset=utf-8', docsPage(version));
  // Tools of other origins read them.
  const headers = { 'Access-Control-Allow-Origin': '*' };
  serve('/openapi.json', JSON_TYPE, JSON.stringify(openApiDocument(version)), headers);
  serve('/asyncapi.json', JSON_TYPE, JSON.stringify(asyncApiDocument(version)), headers);
}
