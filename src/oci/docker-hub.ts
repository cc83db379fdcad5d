/** Docker Hub in references. */
const name = 'docker.io';
/** Who has its images: the host of its name serves web pages. */
const server = 'registry-1.docker.io';
/** Which names people write for it, credentials from of old among them. */
const names: readonly string[] = [name, 'index.docker.io', server];

/** Where Docker Hub keeps the images whose names have one word. */
export const hubNamespace = 'library';

/** The host as references are kept: `index.docker.io` is an old name of `docker.io`. */
export function registryName(host: string): string {
  return host === 'index.docker.io' ? name : host;
}

export function isHub(host: string): boolean {
  return host === name;
}

/** The server to dial for a registry that no setting sends elsewhere. */
export function registryServer(host: string): string {
  return registryName(host) === name ? server : host;
}

/** Every name of the registry that `host` names, beginning with `host`: what is set or given for one of them counts for all. */
export function registryNames(host: string): readonly string[] {
  return names.includes(host) ? [host, ...names.filter((other) => other !== host)] : [host];
}

/** Whether two names are the same registry's. */
export function isSameRegistry(one: string, other: string): boolean {
  return registryNames(one).includes(other);
}
