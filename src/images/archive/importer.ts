import { BerthError } from '../../lib/errors.ts';
import { Places } from '../../lib/places.ts';
import { formatReference, parseReference, repositoryOf, type Reference } from '../../oci/reference.ts';
import type { SnapshotterName } from '../../snapshotter/port.ts';
import type { Collector } from '../collect/collector.ts';
import type { ImageComponents } from '../components.ts';
import type { Image } from '../port.ts';
import { installImage } from '../pull/install-image.ts';
import { ProgressTracker } from '../pull/progress.ts';
import { resolveImage } from '../pull/resolve-image.ts';
import { openArchive, type ArchiveFiles } from './archive-files.ts';
import type { ArchivedImage } from './archived-image.ts';
import { readDockerArchive } from './docker-archive.ts';
import { readLayout } from './oci-layout.ts';

export interface ImporterParts {
  readonly components: ImageComponents;
  readonly collector: Collector;
  readonly defaultRegistry: string;
  readonly defaultSnapshotter: SnapshotterName;
}

/** Names that one archive may hold: they are in every list of images, so they must not fill the list's message. */
const maxNames = 1000;

/** Loads images from archives on disk. */
export class Importer {
  readonly #parts: ImporterParts;

  constructor(parts: ImporterParts) {
    this.#parts = parts;
  }

  /** @param reference replaces the names in the archive, which must hold one image then */
  async import(path: string, reference: string | undefined, signal: AbortSignal): Promise<readonly Image[]> {
    const files = await openArchive(path, this.#parts.components.content.root, signal);
    try {
      const archived = await readArchive(files, this.#parts.components, path);
      const images: Image[] = [];
      for (const one of renamed(archived, reference, path)) images.push(await this.#install(one, path, signal));
      return images;
    } finally {
      await files.close();
      await this.#parts.collector.collect();
    }
  }

  async #install({ source, name, references }: ArchivedImage, path: string, signal: AbortSignal): Promise<Image> {
    const { components: parts, defaultRegistry, defaultSnapshotter } = this.#parts;
    const names = references.map((text) => parseReference(text, defaultRegistry));
    const what = names[0] === undefined ? `${name} in ${path}` : formatReference(names[0]);
    const plan = await resolveImage({ source, content: parts.content, node: parts.node, what, signal }, name);
    // One file is read at a time anyway.
    const context = { parts, snapshotter: parts.snapshotters.of(defaultSnapshotter), source, downloads: new Places(1), progress: new ProgressTracker(parts.clock), signal };
    return installImage(context, plan, {
      tags: names.flatMap((reference) => (reference.tag === undefined ? [] : [formatReference(reference)])),
      digests: digestNames(names, plan.target),
      work: `archive ${plan.target}`,
    });
  }
}

function digestNames(names: readonly Reference[], target: string): readonly string[] {
  return [...new Set(names.map((reference) => `${repositoryOf(reference)}@${target}`))];
}

async function readArchive(files: ArchiveFiles, { node }: ImageComponents, path: string): Promise<readonly ArchivedImage[]> {
  // What `docker save` writes today is both; the layout keeps the manifests as they were pushed.
  if ((await files.find('index.json')) !== undefined) return readLayout(files, node);
  if ((await files.find('manifest.json')) !== undefined) return readDockerArchive(files);
  throw new BerthError('invalid', `${path} is no image archive: it has neither index.json nor manifest.json`);
}

function renamed(archived: readonly ArchivedImage[], reference: string | undefined, path: string): readonly ArchivedImage[] {
  const [only] = archived;
  if (only === undefined) throw new BerthError('invalid', `${path} holds no image`);
  if (reference === undefined) return withinNames(archived, path);
  if (archived.length > 1) throw new BerthError('invalid', `${path} holds ${String(archived.length)} images, which cannot share the name ${reference}`);
  return [{ ...only, references: [reference] }];
}

function withinNames(archived: readonly ArchivedImage[], path: string): readonly ArchivedImage[] {
  const names = archived.reduce((sum, { references }) => sum + references.length, 0);
  if (names <= maxNames) return archived;
  throw new BerthError('invalid', `${path} holds ${String(names)} image names, more than ${String(maxNames)}`);
}
