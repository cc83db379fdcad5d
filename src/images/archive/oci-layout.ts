import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import { digestOf, hexOf, parseDigest } from '../../oci/digest.ts';
import { chooseEntry, maxManifestBytes, parseManifest, type Descriptor } from '../../oci/manifest.ts';
import { mediaTypes } from '../../oci/media-type.ts';
import type { Platform } from '../../oci/platform.ts';
import type { BlobSource, FetchedManifest, OpenBlob } from '../content/blob-source.ts';
import { readSmall, type ArchiveFile, type ArchiveFiles } from './archive-files.ts';
import type { ArchivedImage } from './archived-image.ts';

const blobName = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** The blobs of an OCI layout. */
class LayoutSource implements BlobSource {
  readonly origin = 'archive';
  readonly #files: ArchiveFiles;

  constructor(files: ArchiveFiles) {
    this.#files = files;
  }

  async manifest(name: string): Promise<FetchedManifest> {
    const digest = parseDigest(name);
    const bytes = await readSmall(this.#files, blobName(digest), maxManifestBytes);
    if (digestOf(bytes) !== digest) throw new BerthError('signature', `manifest ${digest} of the image archive does not match its digest`);
    return { bytes, digest, mediaType: '' };
  }

  async open(descriptor: Descriptor, offset: number): Promise<OpenBlob> {
    return openFile(await this.#files.find(blobName(descriptor.digest)), descriptor, offset);
  }
}

/** The blob's file from `offset` on. */
export function openFile(file: ArchiveFile | undefined, { digest, size }: Descriptor, offset: number): OpenBlob {
  if (file === undefined) throw new BerthError('invalid', `the image archive lacks blob ${digest}`);
  if (file.size !== size) throw new BerthError('signature', `blob ${digest} of the image archive has ${String(file.size)} bytes instead of ${String(size)}`);
  return { offset, body: file.stream(offset) };
}

/** containerd's annotation holds a whole reference; the OCI one may hold only a tag, which alone names nothing. */
function referenceOf({ annotations }: Descriptor): string {
  const whole = annotations['io.containerd.image.name'] ?? '';
  const named = annotations['org.opencontainers.image.ref.name'] ?? '';
  return whole === '' && named.includes('/') ? named : whole;
}

/** The images of an OCI layout: one for each name, and each nameless entry. Entries of one name are builds for several platforms. */
export async function readLayout(files: ArchiveFiles, node: Platform): Promise<readonly ArchivedImage[]> {
  const index = parseManifest(await readSmall(files, 'index.json', maxManifestBytes), mediaTypes.ociIndex, 'index.json of the image archive');
  if (index.kind !== 'index') throw new BerthError('invalid', 'index.json of the image archive is no index');
  const source = new LayoutSource(files);
  const groups = Map.groupBy(index.entries, (entry) => referenceOf(entry) || `nameless ${entry.digest}`);
  return [...groups].map(([key, entries]) => {
    const [only] = entries;
    const { digest } = entries.length === 1 && only !== undefined ? only : chooseEntry({ kind: 'index', entries }, node, key);
    return { source, name: digest, references: key.startsWith('nameless ') ? [] : [key] };
  });
}
