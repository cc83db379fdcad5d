import { isOwnPlace, isWithin } from '../../oci/runtime-spec/mounts.ts';

/**
 * Where an image's VOLUMEs are mounted, of where they lead in the image. One for all that lead to the same directory; none
 * inside of another, whose copy has it already; none where berth or the request mounts.
 *
 * @param wanted, requested absolute paths without links: what the image wants and what the request mounts
 */
export function volumePlaces(wanted: readonly string[], requested: readonly string[]): readonly string[] {
  const places = [...new Set(wanted)].filter((path) => !requested.includes(path) && !isOwnPlace(path)).toSorted();
  const kept: string[] = [];
  for (const path of places) if (!kept.some((outer) => isWithin(path, outer) && !isBetween(requested, outer, path))) kept.push(path);
  return kept;
}

/** A mount of the request hides that part of the outer volume which the inner one is in. */
function isBetween(requested: readonly string[], outer: string, inner: string): boolean {
  return requested.some((path) => isWithin(path, outer) && isWithin(inner, path));
}
