/** A path as overlayfs reads it in its options, where a colon parts layers and a comma options. */
export function escapedPath(path: string): string {
  return path.replaceAll(/[\\:,]/g, String.raw`\$&`);
}
