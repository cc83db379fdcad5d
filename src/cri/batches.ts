/** Well below the 16 MiB that clients accept, with room for the message around the items. */
const batchBytes = 4 << 20;

/** Splits items into batches of a few MiB each, none of them empty. `sizeOf` gives an item's encoded bytes. */
export function* batches<Item>(items: Iterable<Item>, sizeOf: (item: Item) => number): Generator<readonly Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (batch.length > 0 && bytes + size > batchBytes) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
