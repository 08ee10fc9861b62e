import { createLogger } from '../../src/observability/logger';

interface Line {
  level: string;
  time: string;
  msg: string;
  [field: string]: unknown;
}

function logged(level: string, write: (logger: ReturnType<typeof createLogger>) => void): Line[] {
  const lines: Line[] = [];
  write(createLogger(level, 'R1', { write: (text) => lines.push(JSON.parse(text) as Line) }));
  return lines;
}

describe('the logger', () => {
  it('writes one JSON object a line, which names its replica, with the level by name and the time readable', () => {
    const lines = logged('info', (logger) => logger.info({ port: 8080 }, 'started'));
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        replica: 'R1',
        port: 8080,
        msg: 'started',
      },
    ]);
  });

  it('changes its level at once', () => {
    const lines = logged('info', (logger) => {
      logger.debug('unseen');
      logger.level = 'debug';
      logger.debug('seen');
      logger.level = 'error';
      logger.info('unseen');
    });
    expect(lines.map((line) => line.msg)).toEqual(['seen']);
  });

  it('writes no secret, however deep in what is logged', () => {
    const lines = logged('info', (logger) => {
      logger.info({ token: 'hunter2', headers: { authorization: 'Bearer hunter2' } }, 'a');
      logger.info(
        { config: { nats: { credentials: { pass: 'hunter2' } }, auth: { tokens: ['hunter2'] } } },
        'b',
      );
      logger.info({ list: [{ headers: { Authorization: 'Bearer hunter2' } }] }, 'c');
    });
    expect(lines).toHaveLength(3);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('writes an error with its stack', () => {
    const [line] = logged('info', (logger) => logger.error({ err: new Error('broken') }, 'failed'));
    expect(line).toMatchObject({
      level: 'error',
      err: { message: 'broken', stack: expect.any(String) as string },
    });
  });
});
