import { readFileSync } from 'node:fs';
import { parse, type ScalarTag } from 'yaml';
import { BerthError, messageOf } from '../../lib/errors.ts';
import { asObject, listField, objectField, stringField, type JsonObject } from '../../lib/json-fields.ts';
import { isKind, isName } from './device-name.ts';
import { parseEdits } from './parse-edits.ts';
import type { CdiSpecFile, ContainerEdits } from './spec-file.ts';

/** A newer minor version may hold edits that we would leave out without a word. */
const knownVersions = /^v?(0\.[3-8]|1\.[01])\.\d+$/;

/** YAML 1.2 has lost these, but CDI's own reader takes them, and people write modes so. */
const octal: ScalarTag = { tag: 'tag:yaml.org,2002:int', default: true, test: /^0[0-7]+$/, resolve: (text) => Number.parseInt(text, 8) };

/** Reads one CDI spec, JSON or YAML by its ending. Fails `invalid` with the path and what is wrong. */
export function readSpecFile(path: string): CdiSpecFile {
  const what = `CDI spec ${path}`;
  const spec = asObject(load(path, what), what);
  const version = stringField(spec, 'cdiVersion', what);
  if (!knownVersions.test(version)) throw new BerthError('invalid', `${what} has the version "${version}"`, { hint: 'versions 0.3.0 to 1.1.x are known' });
  const kind = stringField(spec, 'kind', what);
  if (!isKind(kind)) throw new BerthError('invalid', `${what} has the kind "${kind}", which is not vendor/class`);
  return { path, kind, edits: parseEdits(objectField(spec, 'containerEdits', what), what), devices: parseDevices(spec, what) };
}

function load(path: string, what: string): unknown {
  try {
    const text = readFileSync(path, 'utf8');
    return path.endsWith('.json') ? JSON.parse(text) : parse(text, { customTags: (tags) => [octal, ...tags] });
  } catch (cause) {
    throw new BerthError('invalid', `${what} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function parseDevices(spec: JsonObject, what: string): ReadonlyMap<string, ContainerEdits> {
  const devices = new Map<string, ContainerEdits>();
  for (const item of listField(spec, 'devices', what)) {
    const device = asObject(item, `a device of ${what}`);
    const name = stringField(device, 'name', what);
    if (!isName(name)) throw new BerthError('invalid', `${what} has a device of the name "${name}"`);
    if (devices.has(name)) throw new BerthError('invalid', `${what} has two devices of the name "${name}"`);
    devices.set(name, parseEdits(objectField(device, 'containerEdits', what), `device ${name} of ${what}`));
  }
  return devices;
}
