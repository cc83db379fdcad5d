import type { Digest } from '../../lib/ids.ts';
import type { Descriptor } from '../../oci/manifest.ts';

export interface OpenBlob {
  /** Where the body begins; 0 when the source cannot begin in the middle. */
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** What the source calls it; may be empty. */
  readonly mediaType: string;
}

/** Where an image's content comes from: a registry's repository or an archive. Content is not trusted before its digest is checked. */
export interface BlobSource {
  /** Who sends the content: a registry's host, or `archive`. What comes from one is kept apart from what comes from another until it is whole. */
  readonly origin: string;
  /** By digest or, in a registry, by tag. The bytes have the digest. */
  manifest(name: string, signal: AbortSignal): Promise<FetchedManifest>;
  open(descriptor: Descriptor, offset: number, signal: AbortSignal): Promise<OpenBlob>;
}
