/**
 * The paths of a replica's routes, as they are put on its router: for tests that must leave none out. (The replica warms up
 * on a second router, which names them once more.)
 */
import { Router } from '../../src/http/router';
import { type Replica, startReplica } from './replica';

export async function startRecorded(
  env?: Readonly<Record<string, string>>,
): Promise<{ replica: Replica; paths: readonly string[] }> {
  const paths = new Set<string>();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const add = Router.prototype.add;
  const recording = jest.spyOn(Router.prototype, 'add').mockImplementation(function (
    this: Router,
    path,
    handlers,
  ) {
    paths.add(path);
    add.call(this, path, handlers);
  });
  try {
    return { replica: await startReplica(env), paths: [...paths] };
  } finally {
    recording.mockRestore();
  }
}
