/** Reads the dashboard's files, which are served as they are: there is no build step between them and the browser. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

export interface Page {
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The files beside this one that a browser is to get, and the chart library. */
export function readPages(): Page[] {
  const own = join(__dirname, 'public');
  const chart = dirname(require.resolve('uplot'));
  return [
    ...readdirSync(own).map((file) => page(own, file)),
    page(chart, 'uPlot.esm.js'),
    page(chart, 'uPlot.min.css'),
  ];
}

function page(folder: string, file: string): Page {
  return {
    path: file === 'index.html' ? '/' : `/dashboard/${file}`,
    contentType: CONTENT_TYPES[extname(file)] ?? 'application/octet-stream',
    text: readFileSync(join(folder, file), 'utf8'),
  };
}
