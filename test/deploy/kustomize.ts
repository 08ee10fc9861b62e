/** What renders the Kubernetes files: kustomize itself, or the one within kubectl. */
import { Program } from './programs';

export function findKustomize(): Program | undefined {
  // Versions of kubectl that know components say which kustomize is in them.
  const kubectl = new Program(
    'kubectl',
    ['kustomize'],
    ['version', '--client', '-o', 'json'],
    /kustomizeVersion/,
  );
  return [kubectl, new Program('kustomize', ['build'], ['version'])].find(({ found }) => found);
}
