import { BerthError } from '../lib/errors.ts';
import { parseDocument } from '../lib/json-document.ts';
import { asObject, type JsonObject } from '../lib/json-fields.ts';
import type { ConfigList, PluginConfig } from './config-list.ts';
import type { CniCommand, PluginRunner } from './plugin-runner.ts';
import type { CniAttachment } from './port.ts';
import type { CniVersion } from './versions.ts';

/** The name that the pod's interface has inside of it. */
export const interfaceName = 'eth0';

/** One pod on one network, in the version that they agreed on. */
export interface Chain {
  readonly runner: PluginRunner;
  readonly list: ConfigList;
  readonly version: CniVersion;
  readonly attachment: CniAttachment;
  /** CNI_ARGS. */
  readonly args: string;
  /** Its plugin is killed soon after nobody waits for it any more. */
  readonly signal: AbortSignal | undefined;
}

/** Runs one plugin of the chain; resolves with what it printed. `prevResult` is JSON text. */
export async function invokePlugin(chain: Chain, command: CniCommand, plugin: PluginConfig, prevResult: string | undefined): Promise<string> {
  const { runner, list, attachment, args, signal } = chain;
  const variables = { CNI_CONTAINERID: attachment.id, CNI_NETNS: attachment.netnsPath, CNI_IFNAME: interfaceName, CNI_ARGS: args };
  return runner.run({ command, type: plugin.type, network: list.name, input: inputOf(chain, plugin, prevResult), variables }, signal);
}

/** A result as an object. @throws BerthError `internal` that names `what`. */
export function parseResult(text: string, what: string): JsonObject {
  try {
    return asObject(parseDocument(text), what);
  } catch (cause) {
    throw new BerthError('internal', `${what} is not JSON`, { cause });
  }
}

function inputOf({ list, version, attachment }: Chain, plugin: PluginConfig, prevResult: string | undefined): JsonObject {
  const runtimeConfig = runtimeConfigOf(plugin, attachment);
  return {
    ...plugin.json,
    name: list.name,
    cniVersion: version,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(prevResult !== undefined && { prevResult: parseResult(prevResult, 'the previous result') }),
  };
}

/** The values of this pod that the plugin declares to want. */
function runtimeConfigOf({ capabilities }: PluginConfig, attachment: CniAttachment): JsonObject {
  const values: JsonObject = { ...attachment.capabilities, ...(attachment.portMappings.length > 0 && { portMappings: portMappings(attachment) }) };
  return Object.fromEntries(capabilities.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]));
}

function portMappings({ portMappings: mappings }: CniAttachment): readonly JsonObject[] {
  return mappings.map(({ hostPort, containerPort, protocol, hostIp }) => ({ hostPort, containerPort, protocol, hostIP: hostIp }));
}
