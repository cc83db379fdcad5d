import { createHash } from 'node:crypto';
import { BerthError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import { asObject, parseJson, stringField, stringsField } from '../../lib/json-fields.ts';
import { digestOf } from '../../oci/digest.ts';
import { maxConfigBytes, parseImageConfig } from '../../oci/image-config.ts';
import { encodeManifest, maxManifestBytes, type Descriptor } from '../../oci/manifest.ts';
import { mediaTypes } from '../../oci/media-type.ts';
import type { BlobSource, FetchedManifest, OpenBlob } from '../content/blob-source.ts';
import { readSmall, type ArchiveFile, type ArchiveFiles } from './archive-files.ts';
import type { ArchivedImage } from './archived-image.ts';
import { compressionOf } from './compression.ts';
import { openFile } from './oci-layout.ts';

const listName = 'manifest.json';

interface Content {
  readonly manifest: FetchedManifest;
  readonly files: ReadonlyMap<Digest, ArchiveFile>;
}

/** An image that has files but no manifest; this makes it one. */
class DockerSource implements BlobSource {
  readonly origin = 'archive';
  readonly #content: Content;

  constructor(content: Content) {
    this.#content = content;
  }

  async manifest(): Promise<FetchedManifest> {
    return this.#content.manifest;
  }

  async open(descriptor: Descriptor, offset: number): Promise<OpenBlob> {
    return openFile(this.#content.files.get(descriptor.digest), descriptor, offset);
  }
}

interface Layer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly file: ArchiveFile;
}

async function firstBytes(file: ArchiveFile): Promise<Uint8Array> {
  for await (const chunk of file.stream(0)) return chunk;
  return new Uint8Array();
}

async function hashFile(file: ArchiveFile): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of file.stream(0)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** A plain layer is named by its diff id, which the content store checks while copying; a packed one has to be hashed first. */
async function describeLayer(files: ArchiveFiles, name: string, diffId: Digest | undefined): Promise<Layer> {
  const file = await files.find(name);
  if (file === undefined || diffId === undefined) throw new BerthError('invalid', `the image archive lacks layer ${name} or its diff id`);
  const compression = compressionOf(await firstBytes(file));
  const digest = compression === 'none' ? diffId : await hashFile(file);
  return { mediaType: compression === 'none' ? mediaTypes.ociLayer : `${mediaTypes.ociLayer}+${compression}`, digest, size: file.size, file };
}

async function fileOf(files: ArchiveFiles, name: string): Promise<ArchiveFile> {
  const file = await files.find(name);
  if (file === undefined) throw new BerthError('invalid', `the image archive has no ${name}`);
  return file;
}

async function readImage(files: ArchiveFiles, entry: unknown): Promise<ArchivedImage> {
  const object = asObject(entry, listName);
  const configName = stringField(object, 'Config', listName);
  const configBytes = await readSmall(files, configName, maxConfigBytes);
  const { diffIds } = parseImageConfig(configBytes, configName);
  const names = stringsField(object, 'Layers', listName);
  if (names.length !== diffIds.length) throw new BerthError('invalid', `${configName} of the image archive lists another number of layers than ${listName}`);
  const layers = await Promise.all(names.map((name, index) => describeLayer(files, name, diffIds[index])));
  const config = { digest: digestOf(configBytes), size: configBytes.byteLength };
  const bytes = encodeManifest(config, layers);
  const manifest = { bytes, digest: digestOf(bytes), mediaType: mediaTypes.ociManifest };
  const blobs = new Map([...layers.map(({ digest, file }) => [digest, file] as const), [config.digest, await fileOf(files, configName)]]);
  return { source: new DockerSource({ manifest, files: blobs }), name: manifest.digest, references: stringsField(object, 'RepoTags', listName) };
}

/** The images of what `docker save` wrote before it wrote OCI layouts. */
export async function readDockerArchive(files: ArchiveFiles): Promise<readonly ArchivedImage[]> {
  const bytes = await readSmall(files, listName, maxManifestBytes);
  const list = parseJson(bytes, `${listName} of the image archive`);
  if (!Array.isArray(list)) throw new BerthError('invalid', `${listName} of the image archive is no list`);
  return Promise.all(list.map((entry: unknown) => readImage(files, entry)));
}
