export type PullOutcome = 'ok' | 'canceled' | 'failed';

/** Hears how image work went; metrics are made from it. */
export interface ImageObserver {
  /** Bytes that came over the wire for one blob, without what an earlier attempt left. */
  blobDownloaded(bytes: number, seconds: number): void;
  /** Uncompressed bytes of one layer. */
  layerUnpacked(bytes: number, seconds: number): void;
  pullFinished(outcome: PullOutcome, seconds: number): void;
}
