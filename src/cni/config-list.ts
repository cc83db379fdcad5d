import { BerthError, messageOf } from '../lib/errors.ts';
import { asObject, listField, objectField, stringField, stringsField, type JsonObject } from '../lib/json-fields.ts';
import { spokenOf, spokenVersions, type CniVersion } from './versions.ts';

/** One plugin of a chain. */
export interface PluginConfig {
  /** The program's name in the plugin directories. */
  readonly type: string;
  /** Runtime values that the plugin wants to be told. */
  readonly capabilities: readonly string[];
  /** The plugin that the first one hands address management to, if its config says so. */
  readonly ipamType: string | undefined;
  /** The plugin's part of the file, verbatim. */
  readonly json: JsonObject;
}

/** A network: plugins that are run one after the other. */
export interface ConfigList {
  readonly name: string;
  /** Versions of the specification that the file allows and berth speaks, newest first, at least one. */
  readonly versions: readonly CniVersion[];
  readonly disableCheck: boolean;
  readonly plugins: readonly [PluginConfig, ...PluginConfig[]];
  /** The list as JSON text, which parseConfigList takes. */
  readonly text: string;
}

/** What the specification allows as a network's name. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

const invalid = (message: string): BerthError => new BerthError('invalid', message);

/** Parses a `.conflist`. @throws BerthError `invalid` that names `what` and the fault. */
export function parseConfigList(text: string, what: string): ConfigList {
  return toConfigList(parse(text, what), text, what);
}

/** Parses a `.conf` with a single plugin as the list that it stands for. */
export function parseSingleConfig(text: string, what: string): ConfigList {
  const { cniVersion, name, ...plugin } = parse(text, what);
  if ('plugins' in plugin) throw invalid(`${what} holds a list of plugins, so its name must end with .conflist`);
  const list = { cniVersion: cniVersion ?? '', name, plugins: [plugin] };
  return toConfigList(list, JSON.stringify(list), what);
}

function parse(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BerthError('invalid', `${what} is not JSON: ${messageOf(cause)}`, { cause });
  }
  return asObject(value, what);
}

function toConfigList(json: JsonObject, text: string, what: string): ConfigList {
  const name = stringField(json, 'name', what);
  if (!namePattern.test(name)) throw invalid(`${what}: "name" must be letters, digits, "_", "." and "-", and is "${name}"`);
  const [first, ...rest] = listField(json, 'plugins', what).map((plugin, index) => toPlugin(plugin, `plugin ${index + 1} of ${what}`));
  if (first === undefined) throw invalid(`${what}: "plugins" is empty`);
  return { name, versions: versionsOf(json, what), disableCheck: truth(json['disableCheck']), plugins: [first, ...rest], text };
}

function toPlugin(value: unknown, what: string): PluginConfig {
  const json = asObject(value, what);
  const type = stringField(json, 'type', what);
  // Found by name in the plugin directories only, never elsewhere on the disk.
  if (type === '' || type.includes('/') || type === '.' || type === '..') throw invalid(`${what}: "type" must be the name of a plugin, and is "${type}"`);
  const declared = objectField(json, 'capabilities', what) ?? {};
  const ipamType = objectField(json, 'ipam', what)?.['type'];
  return {
    type,
    capabilities: Object.keys(declared).filter((name) => declared[name] === true),
    ipamType: typeof ipamType === 'string' && ipamType !== '' ? ipamType : undefined,
    json,
  };
}

function versionsOf(json: JsonObject, what: string): readonly CniVersion[] {
  const single = stringField(json, 'cniVersion', what);
  const several = stringsField(json, 'cniVersions', what);
  // A file without any was written before versions existed.
  const allowed = single === '' && several.length === 0 ? ['0.1.0'] : [single, ...several];
  const versions = spokenOf(allowed);
  if (versions.length > 0) return versions;
  throw invalid(`${what} wants CNI ${allowed.filter(Boolean).join(', ')}, and berth speaks ${spokenVersions.join(', ')}`);
}

/** Some tools write "true" in quotes. */
function truth(value: unknown): boolean {
  return value === true || value === 'true';
}
