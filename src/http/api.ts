/** The express app with every route on it. Express routes what is not spelled as a route is; the rest of it stays switched off. */
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import type { RequestListener } from 'node:http';
import type { AnswerTurn } from './answer-turn';
import type { Answers } from './answers';
import type { ApiRequest } from './api-request';
import type { HttpDependencies } from './dependencies';
import { loadReports } from './load-reports';
import { Router } from './router';
import { addCacheRoutes } from './routes/cache';
import { addHealthRoutes } from './routes/health';
import { addLoadRoutes } from './routes/load';
import { addLogLevelRoute } from './routes/log-level';
import { addOwnerRoutes } from './routes/owners';
import { addPageRoutes } from './routes/pages';
import { addReplicaRoutes } from './routes/replica';
import { addSelectRoute } from './routes/select';
import { addMetricsRoute } from './routes/metrics';
import { addWatchRoutes } from './routes/watch';

export function createApi(
  dependencies: HttpDependencies,
  answers: Answers,
  turn: AnswerTurn,
): RequestListener {
  const { accessTokens, messageClasses } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.disable('query parser');
  app.enable('case sensitive routing');
  app.request = messageClasses.IncomingMessage.prototype as Request;
  app.response = messageClasses.ServerResponse.prototype as Response;

  const router = new Router(app, answers, accessTokens, turn);
  // Routes are tried in this order; the ones that gateways call are first.
  const reports = loadReports(dependencies);
  addLoadRoutes(router, dependencies.engines, reports);
  addCacheRoutes(router, dependencies.cache);
  addSelectRoute(router, dependencies);
  addOwnerRoutes(router, dependencies, reports);
  addWatchRoutes(router, answers, dependencies.watchers);
  addHealthRoutes(router, answers, dependencies);
  addMetricsRoute(router, answers, dependencies);
  addLogLevelRoute(router, dependencies);
  addReplicaRoutes(router, answers, dependencies.replica);
  addPageRoutes(router, answers, dependencies.version, dependencies.pages);
  router.addRest();

  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- express knows error handlers by their four parameters
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) => {
    answers.error(req as ApiRequest, res, error);
  };
  app.use(onError);
  return (req, res) => {
    if (!router.handle(req as ApiRequest, res)) app(req, res);
  };
}
