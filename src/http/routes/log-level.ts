/** `POST /log/level` changes how much is logged, at once and without a restart. */
import type { Level } from 'pino';
import type { HttpDependencies } from '../dependencies';
import { DtoCheck } from '../dto/dto-check';
import { LogLevelDto } from '../dto/log-level.dto';
import { jsonBody } from '../json-body';
import type { Router } from '../router';

export function addLogLevelRoute(router: Router, { logger }: Pick<HttpDependencies, 'logger'>): void {
  const levelBody = new DtoCheck(LogLevelDto);

  router.json('/log/level', {
    post: (body) => {
      const to = levelBody.object(jsonBody(body)).LevelParam.toLowerCase() as Level;
      const from = logger.level;
      // Said at whichever side of the change still shows it.
      const shown = logger.isLevelEnabled('info');
      if (shown) logger.info({ from, to }, 'log level changed');
      logger.level = to;
      if (!shown) logger.info({ from, to }, 'log level changed');
      return '"log level updated successfully"';
    },
  });
}
