import type { EngineParts } from '../parts.ts';
import { Places } from '../../lib/places.ts';

const atOnce = 32;

/** Works on all items, some at a time. One that fails is logged and keeps no other from its turn. */
export async function forEach<Item>(parts: Pick<EngineParts, 'log'>, doing: string, items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const places = new Places(atOnce);
  const guarded = async (item: Item): Promise<void> => {
    try {
      await work(item);
    } catch (error) {
      parts.log.warn({ item: String(item), err: error }, `${doing} failed`);
    }
  };
  await Promise.all(items.map((item) => places.run(() => guarded(item))));
}
