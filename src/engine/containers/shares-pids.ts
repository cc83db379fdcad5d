import type { Container } from '../model/container.ts';

/** Without a PID namespace of its own, the end of a container's main process does not end its others. */
export function sharesPids({ config }: Pick<Container, 'config'>): boolean {
  return config.security.namespaces.pid !== 'container';
}
