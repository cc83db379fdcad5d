/** One demand of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const item = new RegExp(`[\\s,]*(?:(?<name>${token})\\s*=\\s*(?:"(?<quoted>(?:[^"\\\\]|\\\\.)*)"|(?<bare>[^\\s,"]+))|(?<scheme>${token})(?=\\s|,|$))`, 'y');

/** Reads header values such as `Bearer realm="https://…",service="…", Basic realm="x"`. What cannot be read ends the header. */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => parseHeader(header));
}

function parseHeader(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  item.lastIndex = 0;
  for (let match = item.exec(header); match?.groups !== undefined && match[0] !== ''; match = item.exec(header)) {
    const { name, quoted, bare, scheme } = match.groups;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return challenges;
}
