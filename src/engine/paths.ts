import { join } from 'node:path';
import type { ContainerId, PodId } from '../lib/ids.ts';

export type PinKind = 'net' | 'ipc' | 'uts' | 'user' | 'pid';

/** Where the engine keeps what on disk. */
export class EnginePaths {
  readonly pods: string;
  readonly bundles: string;
  readonly containers: string;
  /** Sockets on which forwarded connections begin. */
  readonly forwards: string;

  constructor(roots: { readonly stateRoot: string; readonly runRoot: string }) {
    this.pods = join(roots.runRoot, 'pods');
    this.bundles = join(roots.runRoot, 'containers');
    this.containers = join(roots.stateRoot, 'containers');
    this.forwards = join(roots.runRoot, 'f');
  }

  pod(id: PodId): string {
    return join(this.pods, id);
  }

  pinDir(id: PodId): string {
    return join(this.pods, id, 'ns');
  }

  pin(id: PodId, kind: PinKind): string {
    return join(this.pods, id, 'ns', kind);
  }

  /** A file system of its own for the files below /etc that a pod's containers share, and may write. */
  hostFiles(id: PodId): string {
    return join(this.pods, id, 'etc');
  }

  podFile(id: PodId, name: 'hostname' | 'hosts' | 'resolv.conf'): string {
    return join(this.hostFiles(id), name);
  }

  shm(id: PodId): string {
    return join(this.pods, id, 'shm');
  }

  /** Read-only roots of images that the pod's containers mount as volumes. */
  imageVolumes(id: PodId): string {
    return join(this.pods, id, 'images');
  }

  bundle(id: ContainerId): string {
    return join(this.bundles, id);
  }

  container(id: ContainerId): string {
    return join(this.containers, id);
  }

  /** Where a checkpoint of the container is put together. */
  checkpoint(id: ContainerId): string {
    return join(this.containers, id, 'checkpoint');
  }

  /** The checkpoint that the container is to be started from. */
  restore(id: ContainerId): string {
    return join(this.containers, id, 'restore');
  }

  /** The copies of an image's VOLUMEs, by number. */
  volumes(id: ContainerId): string {
    return join(this.containers, id, 'volumes');
  }

  volume(id: ContainerId, index: number): string {
    return join(this.volumes(id), String(index));
  }
}
