import { BerthError } from '../lib/errors.ts';
import type { Digest } from '../lib/ids.ts';
import { parseDigest } from './digest.ts';
import { hubNamespace, isHub, registryName } from './docker-hub.ts';

/** A name of an image in a registry. A digest beats a tag, so at most one of the two is set, and one always is. */
export type Reference = {
  /** Host with port, as it was written. */
  readonly host: string;
  /** Path of the repository on its host. */
  readonly path: string;
} & ({ readonly tag: string; readonly digest: undefined } | { readonly tag: undefined; readonly digest: Digest });

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const maxNameLength = 255;
/** How an image's id is written; the field's tools refuse it as a name, too. */
const idPattern = /^(?:sha256:)?[0-9a-f]{64}$/;

/** Whether this is `host[:port]` as references spell it. */
export const isRegistryHost = (host: string): boolean => hostPattern.test(host);

const invalid = (text: string, detail: string, hint: string): BerthError => new BerthError('invalid', `image reference "${text.slice(0, 300)}" ${detail}`, { hint });
const shape = 'references are written as [host[:port]/]name[:tag][@digest], such as registry.example:5000/team/app:1';

/** Splits `name[:tag][@digest]`; a colon before the last slash belongs to the port. */
function splitSuffixes(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  if (colon <= rest.lastIndexOf('/')) return { name: rest, tag: undefined, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

/** The first component is a host when it could not be part of a path: it has a dot, a port, capitals, or is localhost. */
function splitHost(name: string): { host: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  return isHost ? { host: first, path: name.slice(slash + 1) } : { host: '', path: name };
}

/** `host[/namespace]`: where names without a host go, and what goes before names of a single word there. */
function completeName(text: string, name: string, defaultRegistry: string): { host: string; path: string } {
  const { host: written, path } = splitHost(name);
  const host = registryName(written);
  const [defaultHost = '', ...namespace] = defaultRegistry.split('/');
  if (host === '' && defaultHost === '') {
    throw invalid(text, 'names no registry', 'write the registry host, as in registry.example/name:tag, or set images.default_registry');
  }
  const found = host === '' ? registryName(defaultHost) : host;
  if (path.includes('/')) return { host: found, path };
  if (namespace.length > 0 && found === registryName(defaultHost)) return { host: found, path: [...namespace, path].join('/') };
  return { host: found, path: isHub(found) ? `${hubNamespace}/${path}` : path };
}

/**
 * Reads `[host/]path[:tag][@digest]`. Without a tag and digest the tag is `latest`; with both, the tag is dropped. Names of
 * one word on Docker Hub get `library/`, as everywhere in the field.
 *
 * @param defaultRegistry `host[/namespace]` for names without a host; empty refuses them. The namespace goes before
 *   names of one word, also when they spell that host out.
 */
export function parseReference(text: string, defaultRegistry: string): Reference {
  const { name, tag, digest } = splitSuffixes(text);
  const scheme = /^[a-z]+:\/\//i.exec(text)?.[0];
  if (scheme !== undefined) throw invalid(text, 'is an address', `leave out ${scheme}, as in ${text.slice(scheme.length, 300) || 'registry.example/name:tag'}`);
  if (name === '') throw invalid(text, 'has no name', shape);
  if (idPattern.test(text)) throw invalid(text, "is an image's id and no name to pull it by", 'name it as it is in its registry, with @sha256:… behind it for one image and no other');
  const { host, path } = completeName(text, name, defaultRegistry);
  if (!hostPattern.test(host)) throw invalid(text, 'has a malformed host', shape);
  if (!pathPattern.test(path)) {
    throw invalid(text, 'has a malformed name', path === path.toLowerCase() ? shape : 'names are lower case');
  }
  if (host.length + path.length + 1 > maxNameLength) throw invalid(text, `has a name of more than ${String(maxNameLength)} characters`, 'shorten it');
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, tag === '' ? 'has a colon and no tag behind it' : 'has a malformed tag', 'write a tag behind the colon, or neither for "latest"');
  if (digest !== undefined) return { host, path, tag: undefined, digest: parseDigest(digest, `digest of "${name}"`) };
  return { host, path, tag: tag ?? 'latest', digest: undefined };
}

/** `host/path` */
export function repositoryOf(reference: Reference): string {
  return `${reference.host}/${reference.path}`;
}

/** `host/path:tag` or `host/path@digest`; parsing it again gives the same reference. */
export function formatReference(reference: Reference): string {
  const suffix = reference.digest === undefined ? `:${reference.tag}` : `@${reference.digest}`;
  return `${repositoryOf(reference)}${suffix}`;
}

/** The repository that a bare name stands for; undefined where `text` has a tag or a digest, or is no name at all. */
export function bareRepository(text: string, defaultRegistry: string): string | undefined {
  const { tag, digest } = splitSuffixes(text);
  if (tag !== undefined || digest !== undefined) return undefined;
  const reference = tryReference(text, defaultRegistry);
  return reference === undefined ? undefined : repositoryOf(reference);
}

/** See parseReference(); undefined for what it refuses. */
export function tryReference(text: string, defaultRegistry: string): Reference | undefined {
  try {
    return parseReference(text, defaultRegistry);
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
}
