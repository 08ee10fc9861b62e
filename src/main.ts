/**
 * The entry: environment in, signals in, exit code out. Everything else is in the composition root.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata';
import { App } from './app';
import { ConfigError, parseConfig } from './config/config';
import type { Config } from './config/config';
import { createLogger } from './observability/logger';

/** A stop that takes longer than this has failed. */
const STOP_WITHIN_MS = 9_500;

function main(): void {
  const config = readConfig();
  if (!config) return;
  const logger = createLogger(config.logLevel, process.stdout);
  for (const warning of config.warnings) logger.warn(warning);
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };

  const fatal = (error: unknown, what: string): never => {
    logger.fatal({ err: error }, what);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fatal(error, 'unexpected exception'));
  process.on('unhandledRejection', (error) => fatal(error, 'unhandled rejection'));

  const app = new App(config, logger, version);
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
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
    (port) => logger.info({ version, replica: app.origin, host: config.http.host, port }, 'started'),
    (error: unknown) => fatal(error, 'could not start'),
  );
}

function readConfig(): Config | undefined {
  try {
    return parseConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`bad configuration:\n${error.message.replace(/^/gm, '  ')}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

main();
