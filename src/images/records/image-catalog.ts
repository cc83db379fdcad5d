import { messageOf } from '../../lib/errors.ts';
import type { ImageId } from '../../lib/ids.ts';
import { isDigest } from '../../oci/digest.ts';
import { formatReference, parseReference, tryReference } from '../../oci/reference.ts';
import type { StateStore } from '../../state/port.ts';
import type { Image } from '../port.ts';
import { parseImageRecord, toImage, type ImageRecord } from './image-record.ts';

export interface CatalogParts {
  readonly state: StateStore;
  readonly defaultRegistry: string;
  readonly pinned: readonly string[];
  /** Why a stored image cannot be used any more, or undefined if it can. */
  readonly defect: (image: Image) => string | undefined;
}

const hexPattern = /^[0-9a-f]{1,64}$/;

/** All images, in memory for readers, and in the state store. A name points to at most one image. */
export class ImageCatalog {
  readonly #parts: CatalogParts;
  #pinned: ReadonlySet<string> = new Set();
  readonly #records = new Map<ImageId, ImageRecord>();
  readonly #images = new Map<ImageId, Image>();
  readonly #byName = new Map<string, ImageId>();

  constructor(parts: CatalogParts) {
    this.#parts = parts;
    this.pin(parts.pinned);
  }

  /** Pins these and no others. Fails `invalid` on what is no reference, and then changes nothing. */
  pin(references: readonly string[]): void {
    this.#pinned = new Set(references.map((name) => formatReference(parseReference(name, this.#parts.defaultRegistry))));
    for (const [id, record] of this.#records) this.#images.set(id, this.#toImage(record));
  }

  /** Reads the store; what is unreadable or has lost its layers is quarantined. */
  load(): void {
    const records = this.#readable();
    const taken = new Set(records.flatMap(({ tags, digests }) => [...tags, ...digests]));
    for (const record of records) {
      this.#remember({ ...record, tags: asWrittenToday(record.tags, taken), digests: asWrittenToday(record.digests, taken) });
    }
  }

  #readable(): readonly ImageRecord[] {
    const { state, defect } = this.#parts;
    return state.load('image').flatMap(({ id, value }) => {
      try {
        const record = parseImageRecord(value);
        const reason = defect(this.#toImage(record));
        if (reason === undefined) return [record];
        state.quarantine('image', id, reason);
      } catch (error) {
        state.quarantine('image', id, messageOf(error));
      }
      return [];
    });
  }

  list(): readonly Image[] {
    return [...this.#images.values()];
  }

  record(id: ImageId): ImageRecord | undefined {
    return this.#records.get(id);
  }

  records(): Iterable<ImageRecord> {
    return this.#records.values();
  }

  /** By id, tag, digest, short name or id prefix, in that order; an ambiguous prefix finds nothing. */
  find(text: string): Image | undefined {
    const id = this.#exactId(text) ?? this.#named(text) ?? this.#prefixed(text);
    return id === undefined ? undefined : this.#images.get(id);
  }

  /** Adds the image, or its names and documents to the one with the same id. Tags move here from other images. */
  add(record: ImageRecord): Image {
    const merged = merge(this.#records.get(record.id), record);
    const losers = this.#losers(merged);
    this.#parts.state.transaction(() => {
      for (const changed of [...losers, merged]) this.#parts.state.put('image', changed.id, changed);
    });
    for (const changed of losers) this.#remember(changed);
    return this.#remember(merged);
  }

  remove(id: ImageId): void {
    this.#parts.state.delete('image', id);
    this.#forget(id);
    this.#records.delete(id);
    this.#images.delete(id);
  }

  /** Images that lose a name to `winner`, as they are without it. */
  #losers(winner: ImageRecord): readonly ImageRecord[] {
    const names = new Set([...winner.tags, ...winner.digests]);
    const ids = new Set([...names].flatMap((name) => this.#byName.get(name) ?? []));
    ids.delete(winner.id);
    return [...ids].flatMap((id) => {
      const record = this.#records.get(id);
      return record === undefined ? [] : [{ ...record, tags: record.tags.filter((tag) => !names.has(tag)), digests: record.digests.filter((digest) => !names.has(digest)) }];
    });
  }

  #remember(record: ImageRecord): Image {
    this.#forget(record.id);
    const image = this.#toImage(record);
    this.#records.set(record.id, record);
    this.#images.set(record.id, image);
    for (const name of [...record.tags, ...record.digests]) this.#byName.set(name, record.id);
    return image;
  }

  #forget(id: ImageId): void {
    const known = this.#records.get(id);
    for (const name of [...(known?.tags ?? []), ...(known?.digests ?? [])]) if (this.#byName.get(name) === id) this.#byName.delete(name);
  }

  #toImage(record: ImageRecord): Image {
    return toImage(record, (name) => this.#pinned.has(name));
  }

  #exactId(text: string): ImageId | undefined {
    const id = (isDigest(text) ? text : `sha256:${text}`) as string as ImageId;
    return this.#records.has(id) ? id : undefined;
  }

  #named(text: string): ImageId | undefined {
    const reference = tryReference(text, this.#parts.defaultRegistry);
    return reference === undefined ? undefined : this.#byName.get(formatReference(reference));
  }

  #prefixed(text: string): ImageId | undefined {
    const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
    if (!hexPattern.test(hex)) return undefined;
    const matches = [...this.#records.keys()].filter((id) => id.startsWith(`sha256:${hex}`));
    return matches.length === 1 ? matches[0] : undefined;
  }
}

const union = <Item>(a: readonly Item[], b: readonly Item[]): readonly Item[] => [...new Set([...a, ...b])];

/** Names as parseReference() spells them now: earlier versions kept `docker.io/app`. Whoever has the right name keeps it. */
function asWrittenToday(names: readonly string[], taken: Set<string>): readonly string[] {
  return names.flatMap((name) => {
    const reference = tryReference(name, '');
    const today = reference === undefined ? name : formatReference(reference);
    if (today !== name && taken.has(today)) return [];
    taken.add(today);
    return [today];
  });
}

function merge(known: ImageRecord | undefined, added: ImageRecord): ImageRecord {
  if (known === undefined) return added;
  return {
    ...added,
    tags: union(known.tags, added.tags),
    digests: union(known.digests, added.digests),
    documents: union(known.documents, added.documents),
    createdAtNs: known.createdAtNs,
  };
}
