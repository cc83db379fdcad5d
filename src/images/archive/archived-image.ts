import type { BlobSource } from '../content/blob-source.ts';

/** One image of an archive, ready to be resolved. */
export interface ArchivedImage {
  readonly source: BlobSource;
  /** What to ask the source's manifest() for. */
  readonly name: string;
  /** References that the archive gives it, as written; may be empty. */
  readonly references: readonly string[];
}
