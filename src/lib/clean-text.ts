/** What a terminal obeys or a reader does not see: control characters, of which escape sequences are made, marks that turn the direction of writing, separators of lines, halves of surrogate pairs. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** What nearly every text is; classes of Unicode cost many times more to look for. */
const plain = /^[\x20-\x7e]*\n?$/;
const blanks = /[\t\n\r]+/g;
const gap = ' … ';

/** Text on one line in which every character is one that is seen; those that are not become U+FFFD. */
export function printable(text: string): string {
  if (plain.test(text) && !text.endsWith('\n')) return text;
  return text.replaceAll(blanks, ' ').replaceAll(unsafe, '\ufffd');
}

/** Text of at most `maxBytes` bytes of UTF-8: of a longer one the end and most of the beginning, since what is said in between is the least. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes) return text;
  // No character takes less than a byte, so what lies between these is cut in any case.
  const ends = text.length <= 2 * maxBytes ? text : text.slice(0, maxBytes) + text.slice(-maxBytes);
  const bytes = Buffer.from(ends);
  const head = Math.floor(((maxBytes - Buffer.byteLength(gap)) * 2) / 3);
  const tail = maxBytes - Buffer.byteLength(gap) - head;
  return `${bytes.toString('utf8', 0, boundary(bytes, head, -1))}${gap}${bytes.toString('utf8', boundary(bytes, bytes.length - tail, 1))}`;
}

/** The nearest place in that direction at which a character begins. */
function boundary(bytes: Uint8Array, from: number, step: 1 | -1): number {
  let at = from;
  while (((bytes[at] ?? 0) & 0xc0) === 0x80) at += step;
  return at;
}

/**
 * Text from outside (an image, a registry, a runtime, a plugin) as it may stand in an error, a message, a log and on a
 * terminal: printable() and not longer than `maxBytes`.
 */
export function cleanText(text: string, maxBytes = 4096): string {
  return cutText(printable(cutText(text, 2 * maxBytes)), maxBytes);
}

/** JSON in which characters that cannot be seen are written as escapes. It means the same. */
export function visibleJson(json: string): string {
  if (plain.test(json)) return json;
  return json.replaceAll(unsafe, (character) => (character === '\n' ? character : [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')));
}
