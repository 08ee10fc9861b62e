/** The paths of a replica's routes, as they are put on its router: for tests that must leave none out. */
import { Router } from '../../src/http/router';
import { type Replica, startReplica } from './replica';

export async function startRecorded(
  env?: Readonly<Record<string, string>>,
): Promise<{ replica: Replica; paths: readonly string[] }> {
  const paths: string[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const add = Router.prototype.add;
  const recording = jest.spyOn(Router.prototype, 'add').mockImplementation(function (
    this: Router,
    path,
    handlers,
  ) {
    paths.push(path);
    add.call(this, path, handlers);
  });
  try {
    return { replica: await startReplica(env), paths };
  } finally {
    recording.mockRestore();
  }
}
