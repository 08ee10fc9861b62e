#!/usr/bin/env node
/**
 * The entry: environment in, signals in, exit code out. Everything else is in the composition root.
 */
import * as nodeModule from 'node:module';
// Before anything else is loaded. Node.js 22.8 and newer; where the folder can't be written nothing is kept.
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { App } from './app';
import { check } from './command/check';
import { helpText } from './command/help';
import { ConfigError, parseConfig, type Config } from './config/config';
import { LogOutput } from './observability/log-output';
import { createLogger } from './observability/logger';

/** A stop that takes longer than this has failed. */
const STOP_WITHIN_MS = 9_500;

/**
 * Under `npm start` equal signals within this time are one: Ctrl-C comes twice, from the terminal and from npm, which
 * passes on what it gets.
 */
const SAME_SIGNAL_MS = process.env['npm_lifecycle_event'] === undefined ? 0 : 250;

/**
 * Lookups of names that hang hold a thread each: 8 for NATS, and one that its client makes itself, one for the peers.
 * What is left is as many as Node has by default.
 */
const THREADS = '14';

function main(): void {
  const command = commandOf(process.argv.slice(2));
  if (!command) return;
  if (command.help) process.stdout.write(helpText());
  else if (command.version) process.stdout.write(`${versionOfPackage()}\n`);
  else run(command.check);
}

interface Command {
  readonly help: boolean;
  readonly version: boolean;
  readonly check: boolean;
}

/** Undefined, and the reason on stderr, for what is unknown. */
function commandOf(args: string[]): Command | undefined {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ args, options: { help: { ...flag, short: 'h' }, version: flag, check: flag } }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nmetadata-center --help says what there is.\n`);
    process.exitCode = 2;
    return undefined;
  }
}

function versionOfPackage(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** Says what it found on stdout. */
async function checkOnce(config: Config): Promise<never> {
  const findings = await check(config, createLogger('fatal', '', process.stderr));
  const lines = [...config.warnings, 'configuration: ok', ...findings.map(({ text }) => text)];
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exit(findings.every(({ ok }) => ok) ? 0 : 1);
}

function run(onlyCheck: boolean): void {
  process.env['UV_THREADPOOL_SIZE'] ??= THREADS;
  const config = configured(() => parseConfig(process.env));
  if (!config) return;
  // Whoever reads stderr may be gone too.
  process.stderr.on('error', () => undefined);
  const output = new LogOutput(
    process.stdout,
    (line) => process.stderr.write(line),
    () => performance.now(),
  );
  const origin = randomBytes(12).toString('base64url');
  const logger = createLogger(config.logLevel, origin, output);
  for (const warning of config.warnings) logger.warn(warning);
  const version = versionOfPackage();

  const fatal = (error: unknown, what: string): never => {
    logger.fatal({ err: error }, what);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fatal(error, 'unexpected exception'));
  process.on('unhandledRejection', (error) => fatal(error, 'unhandled rejection'));

  const app = configured(
    () => new App(config, { origin, version, logger, logDropped: () => output.dropped, warmsUp: true }),
  );
  if (!app) return;
  if (onlyCheck) {
    void checkOnce(config);
    return;
  }
  logger.info({ version, settings: config.shown }, 'starting');
  let stopping: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (stopping?.signal === signal && now - stopping.atMs < SAME_SIGNAL_MS) return;
    if (stopping) process.exit(1);
    stopping = { signal, atMs: now };
    logger.info({ signal }, 'stopping');
    setTimeout(() => fatal(undefined, 'could not stop in time'), STOP_WITHIN_MS).unref();
    app.stop().then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (error: unknown) => fatal(error, 'could not stop'),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  app.start().then(
    (port) => logger.info({ version, host: config.http.host, port }, 'started'),
    (error: unknown) => fatal(error, 'could not start'),
  );
}

/** What `make` makes; undefined, and the reasons on stderr, when a variable or a file that one names is bad. */
function configured<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`bad configuration:\n${error.message.replace(/^/gm, '  ')}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

main();
