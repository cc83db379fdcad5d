import { BerthError } from '../../lib/errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { maxConfigBytes } from '../../oci/image-config.ts';
import { chooseEntry, parseManifest, type Descriptor, type ImageManifest } from '../../oci/manifest.ts';
import type { Platform } from '../../oci/platform.ts';
import type { BlobSource, FetchedManifest } from '../content/blob-source.ts';
import type { ContentStore } from '../content/content-store.ts';
import { withRetry } from '../registry/backoff.ts';
import { planImage, type ImageDocument, type ImagePlan } from './image-plan.ts';

export interface ResolveContext {
  readonly source: BlobSource;
  readonly content: ContentStore;
  readonly node: Platform;
  /** Names the image in errors. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** An index may hold indexes, but nobody nests them deeper than this for good reasons. */
const maxDepth = 3;

/** Follows a tag or digest down to the manifest for this node and reads its config. Nothing is written. */
export async function resolveImage(context: ResolveContext, name: string): Promise<ImagePlan> {
  const { source, signal, what, node } = context;
  const top = await withRetry(() => source.manifest(name, signal), signal);
  const { manifests, manifest, offered } = await descend(context, top);
  const configBytes = await readConfig(context, manifest.config);
  return planImage({ manifests: [top, ...manifests], manifest, configBytes, offered, node, what });
}

interface Found {
  readonly manifests: readonly ImageDocument[];
  readonly manifest: ImageManifest;
  /** For what its index offers it. */
  readonly offered: Platform | undefined;
}

async function descend(context: ResolveContext, top: FetchedManifest): Promise<Found> {
  const below: ImageDocument[] = [];
  let current = top;
  let offered: Platform | undefined;
  for (let depth = 0; depth < maxDepth; depth += 1) {
    const parsed = parseManifest(current.bytes, current.mediaType, context.what);
    if (parsed.kind === 'manifest') return { manifests: below, manifest: parsed, offered };
    const entry = chooseEntry(parsed, context.node, context.what);
    offered = entry.platform;
    current = await readManifest(context, entry);
    below.push(current);
  }
  throw new BerthError('invalid', `${context.what} is an index nested too deeply`);
}

async function readManifest({ source, content, signal }: ResolveContext, entry: Descriptor): Promise<FetchedManifest> {
  const known = await content.read(entry.digest);
  if (known !== undefined) return { bytes: known, digest: entry.digest, mediaType: entry.mediaType };
  const fetched = await withRetry(() => source.manifest(entry.digest, signal), signal);
  return { ...fetched, mediaType: entry.mediaType };
}

async function readConfig(context: ResolveContext, config: Descriptor): Promise<Uint8Array> {
  const { source, content, signal, what } = context;
  if (config.size > maxConfigBytes) throw new BerthError('invalid', `config of ${what} is larger than ${String(maxConfigBytes)} bytes`);
  const known = await content.read(config.digest);
  if (known !== undefined) return known;
  const bytes = await withRetry(() => readAll(source, config, signal), signal);
  if (digestOf(bytes) !== config.digest) throw new BerthError('signature', `config of ${what} does not have its digest ${config.digest}`);
  return bytes;
}

async function readAll(source: BlobSource, descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array> {
  const { body } = await source.open(descriptor, 0, signal);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > descriptor.size) throw new BerthError('signature', `blob ${descriptor.digest} is longer than the ${String(descriptor.size)} bytes its manifest says`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
