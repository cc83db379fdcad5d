import { BerthError } from '../lib/errors.ts';
import type { Digest } from '../lib/ids.ts';
import { asObject, listField, objectField, parseJsonObject, stringField, stringMapField, stringsField, type JsonObject } from '../lib/json-fields.ts';
import { checkConfigLimits } from './config-limits.ts';
import { parseDigest } from './digest.ts';
import type { Platform } from './platform.ts';

/** The runtime part of an OCI image config. */
export interface ImageRuntimeConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageConfig {
  readonly platform: Platform;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly runtime: ImageRuntimeConfig;
}

/** Configs carry a history and labels; anything larger than this is no config. */
export const maxConfigBytes = 8 * 1024 * 1024;

/** Enough for a user's and a group's name or number. It is in every list of images, so it must not fill the list's message. */
const maxUserBytes = 256;

/** The user in a config, or in a record of one. Fails `invalid` when it is no string or too long for a name. */
export function userField(object: JsonObject, key: string, what: string): string {
  const user = stringField(object, key, what);
  const bytes = Buffer.byteLength(user);
  if (bytes <= maxUserBytes) return user;
  throw new BerthError('invalid', `${what} is malformed: "${key}" has ${String(bytes)} bytes, more than ${String(maxUserBytes)}`);
}

/** The names of an object whose values say nothing, as VOLUME and EXPOSE are written. */
function namesField(object: JsonObject, key: string, what: string): readonly string[] {
  return Object.entries(objectField(object, key, what) ?? {}).map(([name, value]) => {
    if (value !== null) asObject(value, `"${name}" in "${key}" of ${what}`);
    return name;
  });
}

function parseRuntime(config: JsonObject, what: string): ImageRuntimeConfig {
  return {
    user: userField(config, 'User', what),
    env: stringsField(config, 'Env', what),
    entrypoint: stringsField(config, 'Entrypoint', what),
    cmd: stringsField(config, 'Cmd', what),
    workingDir: stringField(config, 'WorkingDir', what),
    volumes: namesField(config, 'Volumes', what),
    stopSignal: stringField(config, 'StopSignal', what),
    labels: stringMapField(config, 'Labels', what),
  };
}

/**
 * Reads an OCI image config or Docker's, which say the same in the same words. Fails `invalid` when it is none, or says more
 * than a container could be given.
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const object = parseJsonObject(bytes, what);
  const rootfs = objectField(object, 'rootfs', what);
  if (rootfs === undefined) throw new BerthError('invalid', `${what} is malformed: it has no "rootfs"`);
  const config = objectField(object, 'config', what) ?? {};
  const runtime = parseRuntime(config, what);
  checkConfigLimits({ ...runtime, ports: namesField(config, 'ExposedPorts', what).length, steps: listField(object, 'history', what).length }, what);
  return {
    platform: {
      os: stringField(object, 'os', what),
      architecture: stringField(object, 'architecture', what),
      variant: stringField(object, 'variant', what),
    },
    diffIds: stringsField(rootfs, 'diff_ids', what).map((id) => parseDigest(id, `diff id in ${what}`)),
    runtime,
  };
}
