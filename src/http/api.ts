/** The express app with every route on it. Express is the one router; the rest of it stays switched off. */
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { Answers } from './answers';
import type { ApiRequest } from './api-request';
import type { HttpDependencies } from './dependencies';
import { Routes } from './routes';
import { addHealthRoutes } from './routes/health';
import { addLoadRoutes } from './routes/load';
import { addLogLevelRoute } from './routes/log-level';
import { addPageRoutes } from './routes/pages';
import { addReplicaRoutes } from './routes/replica';
import { addMetricsRoute } from './routes/metrics';
import { addWatchRoutes } from './routes/watch';

export function createApi(dependencies: HttpDependencies, answers: Answers): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.disable('query parser');
  app.enable('case sensitive routing');

  const { accessTokens, replicator } = dependencies;
  const routes = new Routes(app, answers, accessTokens, (answer) => replicator.whenPublished(answer));
  // Routes are tried in this order; the ones that gateways call are first.
  addLoadRoutes(routes, dependencies);
  addWatchRoutes(routes, answers, dependencies.watchers);
  addHealthRoutes(routes, answers, dependencies);
  addMetricsRoute(routes, answers, dependencies);
  addLogLevelRoute(routes, dependencies);
  addReplicaRoutes(routes, answers, dependencies.replica);
  addPageRoutes(routes, answers, dependencies.version, dependencies.pages);
  routes.addRest();

  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- express knows error handlers by their four parameters
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) => {
    answers.error(req as ApiRequest, res, error);
  };
  app.use(onError);
  return app;
}
