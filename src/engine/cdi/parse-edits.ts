import { BerthError } from '../../lib/errors.ts';
import { asObject, countField, listField, objectField, stringField, stringsField, type JsonObject } from '../../lib/json-fields.ts';
import { ociHookNames, type OciHookName, type OciIntelRdt } from '../../oci/runtime-spec/types.ts';
import type { CdiDeviceNode, CdiMount, ContainerEdits } from './spec-file.ts';

const deviceTypes = ['c', 'b', 'u', 'p'] as const;

const invalid = (what: string, detail: string): BerthError => new BerthError('invalid', `${what} ${detail}`);

const objects = (object: JsonObject, key: string, what: string): readonly JsonObject[] => listField(object, key, what).map((item) => asObject(item, `an item of "${key}" of ${what}`));

const optionalCount = (object: JsonObject, key: string, what: string): number | undefined => ((object[key] ?? undefined) === undefined ? undefined : countField(object, key, what));

function requiredText(object: JsonObject, key: string, what: string): string {
  const value = stringField(object, key, what);
  if (value === '') throw invalid(what, `has no "${key}"`);
  return value;
}

function parseDeviceNode(node: JsonObject, what: string): CdiDeviceNode {
  const path = requiredText(node, 'path', what);
  const type = stringField(node, 'type', what);
  const known = deviceTypes.find((each) => each === type);
  if (type !== '' && known === undefined) throw invalid(what, `has a device node of the unknown type "${type}"`);
  return {
    path,
    hostPath: stringField(node, 'hostPath', what) || path,
    type: known,
    major: optionalCount(node, 'major', what),
    minor: optionalCount(node, 'minor', what),
    fileMode: optionalCount(node, 'fileMode', what),
    permissions: parsePermissions(node, what),
    uid: optionalCount(node, 'uid', what),
    gid: optionalCount(node, 'gid', what),
  };
}

/** Left out means everything; "none" is the word for a node that the device cgroup is to keep closed. */
function parsePermissions(node: JsonObject, what: string): string {
  const permissions = stringField(node, 'permissions', what) || 'rwm';
  if (permissions === 'none') return '';
  if (!/^[rwm]{1,3}$/.test(permissions)) throw invalid(what, `has a device node with the permissions "${permissions}"`);
  return permissions;
}

function parseMount(mount: JsonObject, what: string): CdiMount {
  return {
    hostPath: requiredText(mount, 'hostPath', what),
    containerPath: requiredText(mount, 'containerPath', what),
    type: stringField(mount, 'type', what),
    options: stringsField(mount, 'options', what),
  };
}

function parseHook(hook: JsonObject, what: string): ContainerEdits['hooks'][number] {
  const name = stringField(hook, 'hookName', what);
  const known: OciHookName | undefined = ociHookNames.find((each) => each === name);
  if (known === undefined) throw invalid(what, `has a hook of the unknown name "${name}"`);
  const timeout = optionalCount(hook, 'timeout', what);
  return {
    name: known,
    hook: { path: requiredText(hook, 'path', what), args: stringsField(hook, 'args', what), env: stringsField(hook, 'env', what), ...(timeout === undefined ? {} : { timeout }) },
  };
}

function parseIntelRdt(rdt: JsonObject | undefined, what: string): OciIntelRdt | undefined {
  if (rdt === undefined) return undefined;
  const texts = (['closID', 'l3CacheSchema', 'memBwSchema'] as const).flatMap((key) => (stringField(rdt, key, what) === '' ? [] : [[key, stringField(rdt, key, what)]]));
  const schemata = stringsField(rdt, 'schemata', what);
  const enableMonitoring = rdt['enableMonitoring'] === true;
  return { ...Object.fromEntries(texts), ...(schemata.length > 0 ? { schemata } : {}), ...(enableMonitoring ? { enableMonitoring } : {}) };
}

function parseGids(edits: JsonObject, what: string): readonly number[] {
  return listField(edits, 'additionalGids', what).map((gid) => {
    if (typeof gid !== 'number' || !Number.isInteger(gid) || gid < 0 || gid > 0xffff_ffff) throw invalid(what, `has the additional gid "${String(gid)}"`);
    return gid;
  });
}

/** Reads a `containerEdits` object; absent is no edit. `what` names the place in errors. */
export function parseEdits(edits: JsonObject | undefined, what: string): ContainerEdits {
  const from = edits ?? {};
  const env = stringsField(from, 'env', what);
  const wrong = env.find((entry) => entry.indexOf('=') < 1);
  if (wrong !== undefined) throw invalid(what, `sets the environment entry "${wrong}", which is not NAME=value`);
  return {
    env,
    deviceNodes: objects(from, 'deviceNodes', what).map((node) => parseDeviceNode(node, what)),
    mounts: objects(from, 'mounts', what).map((mount) => parseMount(mount, what)),
    hooks: objects(from, 'hooks', what).map((hook) => parseHook(hook, what)),
    additionalGids: parseGids(from, what),
    intelRdt: parseIntelRdt(objectField(from, 'intelRdt', what), what),
    netDevices: objects(from, 'netDevices', what).map((device) => ({ hostInterfaceName: requiredText(device, 'hostInterfaceName', what), name: requiredText(device, 'name', what) })),
  };
}
