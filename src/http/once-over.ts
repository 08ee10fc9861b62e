/**
 * When an answer is over. Its own `close` is not enough: an answer that waits behind another one on its connection has no
 * socket yet, and node tells it nothing when the connection goes.
 */
import type { ServerResponse } from 'node:http';

/** Calls back once, when the answer has been sent or can no longer be. A reader that sends no more has left. */
export function onceOver(res: ServerResponse, callback: () => void): void {
  const { socket } = res.req;
  const over = (): void => {
    res.off('close', over);
    socket.off('close', over);
    socket.off('end', leave);
    callback();
  };
  const leave = (): void => void socket.destroy();
  // A listener for each answer that waits: how many those are is bounded where they begin.
  socket.setMaxListeners(0);
  res.on('close', over);
  socket.on('close', over);
  socket.on('end', leave);
}
