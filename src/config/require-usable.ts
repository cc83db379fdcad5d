import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError } from '../lib/errors.ts';
import { parentProblem } from '../oci/runtime-spec/cgroups-path.ts';
import { cgroupDriver } from './cgroup-driver.ts';
import { groupId } from './group-id.ts';
import type { Config } from './schema.ts';
import { readPem, readStreamingTls } from './streaming-tls.ts';

/** Certificates that [registries] names must be there. Fails `invalid` with the key and the file in the message. */
export function requireRegistryFiles({ registries }: Config, file: string): void {
  for (const [host, { ca, clientCert, clientKey }] of Object.entries(registries)) {
    const files = { ca, client_cert: clientCert, client_key: clientKey };
    for (const [key, path] of Object.entries(files)) if (path !== '') readPem(path, `[registries."${host}"] ${key} in ${file}`);
  }
}

/** What else settings name on this machine must be there. Fails likewise. */
export function requireUsable(config: Config, file: string): void {
  const { cri, nri, metrics, streaming, agent, shim, stateRoot, runRoot } = config;
  groupId(cri.group, `[cri] group in ${file}:`);
  readStreamingTls(streaming, ` in ${file}`);
  requireParent(config, file);
  for (const [path, key] of [[agent.path, '[agent] path'], [agent.pausePath, '[agent] pause_path'], [shim.path, '[shim] path']] as const) requireProgram(path, `${key} in ${file}`);
  for (const [path, key] of [[cri.socket, '[cri] socket'], [nri.enable ? nri.socket : '', '[nri] socket'], [metrics.listen, '[metrics] listen']] as const) requireNoDirectory(path, `${key} in ${file}`);
  const directories = { state_root: stateRoot, run_root: runRoot, '[cri] socket': dirname(cri.socket), '[nri] socket': nri.enable ? dirname(nri.socket) : runRoot, '[metrics] listen': metrics.listen.startsWith('/') ? dirname(metrics.listen) : runRoot };
  for (const [key, path] of Object.entries(directories)) requirePlace(path, `${key} in ${file}`);
}

function requireParent({ cgroup }: Config, file: string): void {
  const problem = cgroup.parent === '' ? undefined : parentProblem(cgroupDriver({ cgroup }), cgroup.parent);
  if (problem === undefined) return;
  throw new BerthError('invalid', `[cgroup] parent "${cgroup.parent}" in ${file} cannot be used: ${problem}`, { hint: 'set [cgroup] driver and parent to what belongs together' });
}

function requireProgram(path: string, setting: string): void {
  if (path === '' || isProgram(path)) return;
  throw new BerthError('invalid', `${setting} names ${path}, which is no program`, { hint: 'leave it out for the one that was built or installed with berthd' });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function requireNoDirectory(path: string, setting: string): void {
  if (path.startsWith('/') && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) throw new BerthError('invalid', `${setting}: ${path} is a directory`, { hint: 'name a socket in it' });
}

/** Of statfs(2): file systems in which the kernel alone makes files. mkdir(2) fails there in ways that Node tries again for ever. */
const kernelsOwn: ReadonlySet<number> = new Set([0x9f_a0, 0x62_65_65_72]);

/** Where a directory is or can be made. */
function requirePlace(path: string, setting: string): void {
  const problem = placeProblem(path);
  if (problem !== undefined) throw new BerthError('invalid', `${setting}: ${path} cannot be a directory of berthd's, for ${problem}`, { hint: 'choose another place' });
}

function placeProblem(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return placeProblem(dirname(path));
  if (!found.isDirectory()) return `${path} is no directory`;
  return kernelsOwn.has(statfsSync(path).type) ? `${path} is the kernel's own` : undefined;
}
