import type { Image, ImageRuntimeConfig, ImageService, StoreUsage } from '../../images/port.ts';
import { BerthError } from '../../lib/errors.ts';
import type { Digest, ImageId, SnapshotKey } from '../../lib/ids.ts';

const runtime: ImageRuntimeConfig = { user: '', env: ['A=1'], entrypoint: [], cmd: ['sh'], workingDir: '', volumes: [], stopSignal: '', labels: {} };

/** An image as a pull would leave it. Its snapshot is `top`. */
export function fakeImage(name: string, config: Partial<ImageRuntimeConfig> = {}): Image {
  const hex = Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64);
  return {
    id: `sha256:${hex}` as ImageId,
    repoTags: [`registry.test/${name}:1`],
    repoDigests: [`registry.test/${name}@sha256:${hex}`],
    manifestDigest: `sha256:${hex}` as Digest,
    size: 1,
    layers: [],
    topSnapshot: 'top' as SnapshotKey,
    config: { ...runtime, ...config },
    pinned: false,
    createdAtNs: 1n,
  };
}

/** Images that are simply there. */
export class FakeImages implements ImageService {
  readonly images: Image[] = [];
  collected = 0;

  async pull(): Promise<Image> {
    throw new BerthError('unimplemented', 'the engine pulls nothing');
  }

  async importArchive(): Promise<readonly Image[]> {
    return [];
  }

  list(): readonly Image[] {
    return this.images;
  }

  find(reference: string): Image | undefined {
    return this.images.find(({ id, repoTags }) => id === reference || repoTags.includes(reference));
  }

  async configDocument(): Promise<undefined> {
    return undefined;
  }

  async unpack(): Promise<void> {
    throw new BerthError('unimplemented', 'every image is unpacked');
  }

  async remove(reference: string): Promise<void> {
    const image = this.find(reference);
    if (image !== undefined) this.images.splice(this.images.indexOf(image), 1);
  }

  async usage(): Promise<StoreUsage> {
    return { bytes: 0, inodes: 0, mountpoint: '/' };
  }

  async collect(): Promise<void> {
    this.collected += 1;
  }

  pulls(): ReturnType<ImageService['pulls']> {
    return [];
  }
}
