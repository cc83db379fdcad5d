import { readFileSync, statSync } from 'node:fs';
import { BerthError, messageOf } from '../lib/errors.ts';
import { parseReference } from '../oci/reference.ts';
import { parseToml } from './parse-toml.ts';
import { requireOwnPlaces } from './require-own-places.ts';
import { requireRegistryFiles, requireUsable } from './require-usable.ts';
import { schema, type Config } from './schema.ts';
import { requireWholeTls } from './streaming-tls.ts';

/** Used when --config is not given; alone it may be absent, and then every setting has its default. */
export const defaultConfigPath = '/etc/berth/config.toml';

/** Where a pod or a kubelet's client finds the CRI socket when [cri] socket is not set. */
const defaultCriSocket = (config: Config): string => `${config.runRoot}/berth.sock`;

/** Where plugins find the NRI socket when [nri] socket is not set; a place of its own for each daemon. */
const defaultNriSocket = (config: Config): string => `${config.runRoot}/nri.sock`;

/** Reads the settings and checks all of them: what passes does not stop berthd. Fails `invalid` with the key and the file in the message. */
export function loadConfig(file: string): Config {
  const config = reloadConfig(file);
  requireUsable(config, file);
  return config;
}

/** Reads the settings, and does not ask of what waits for the next start whether this machine has it. Fails as `loadConfig` does. */
export function reloadConfig(file: string): Config {
  const config = parseConfig(readText(file), file, () => statSync(file));
  requireRegistryFiles(config, file);
  return config;
}

/** The part of it that needs no disk. `stat` is asked only when the text holds secrets. */
export function parseConfig(source: string, file: string, stat: () => { readonly mode: number; readonly uid: number }): Config {
  const config = schema.parse(parseToml(source, file), { file, key: '' });
  if (holdsSecrets(config)) requirePrivate(file, stat());
  requireKnownDefault(config, file);
  requireWholeTls(config.streaming, ` in ${file}`);
  requireTwoRoots(config, file);
  requireWholeRegistries(config, file);
  requireReferences(config, file);
  const socket = config.cri.socket === '' ? defaultCriSocket(config) : config.cri.socket;
  requireShort(socket, `[cri] socket in ${file}`);
  const nriSocket = config.nri.socket === '' ? defaultNriSocket(config) : config.nri.socket;
  // The longest name of a socket that berthd itself makes there.
  requireShort(`${config.runRoot}/events.sock`, `run_root in ${file}`);
  requireShort(nriSocket, `[nri] socket in ${file}`);
  const whole = Object.freeze({ ...config, cri: Object.freeze({ ...config.cri, socket }), nri: Object.freeze({ ...config.nri, socket: nriSocket }) });
  requireOwnPlaces(whole, file);
  return whole;
}

/** The length of sun_path without its NUL. */
const maxSocketPath = 107;

function requireShort(path: string, origin: string): void {
  if (Buffer.byteLength(path) <= maxSocketPath) return;
  throw new BerthError('invalid', `the socket path ${path} is longer than ${maxSocketPath} bytes, which the kernel refuses`, { hint: `shorten ${origin}` });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (file === defaultConfigPath && (cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new BerthError('invalid', `cannot read the configuration ${file}: ${(cause as Error).message}`, { cause });
  }
}

function holdsSecrets(config: Config): boolean {
  return Object.values(config.registries).some((registry) => !registry.password.isEmpty || !registry.identityToken.isEmpty);
}

function requirePrivate(file: string, { mode, uid }: { readonly mode: number; readonly uid: number }): void {
  const own = process.getuid?.() ?? 0;
  if ((mode & 0o077) === 0 && (uid === 0 || uid === own)) return;
  throw new BerthError('invalid', `${file} holds registry credentials but others may read it (mode ${(mode & 0o777).toString(8).padStart(4, '0')}, owner ${uid})`, {
    hint: `chown root ${file} && chmod 0600 ${file}`,
  });
}

function requireKnownDefault(config: Config, file: string): void {
  if (config.defaultRuntime in config.runtimes) return;
  throw new BerthError('invalid', `default_runtime "${config.defaultRuntime}" in ${file} is not configured`, {
    hint: `add [runtimes.${config.defaultRuntime}] or choose one of ${Object.keys(config.runtimes).join(', ')}`,
  });
}

function requireTwoRoots({ stateRoot, runRoot }: Config, file: string): void {
  if (stateRoot !== runRoot) return;
  throw new BerthError('invalid', `state_root and run_root in ${file} are the same directory, ${stateRoot}`, { hint: 'one must survive a reboot and the other must not' });
}

function requireWholeRegistries({ registries }: Config, file: string): void {
  const alone = Object.entries(registries).find(([, { clientCert, clientKey }]) => clientCert === '' && clientKey !== '');
  if (alone !== undefined) throw new BerthError('invalid', `[registries."${alone[0]}"] in ${file} has client_key without client_cert`);
}

function requireReferences({ images: { pinned, defaultRegistry } }: Config, file: string): void {
  for (const [index, name] of pinned.entries()) {
    try {
      parseReference(name, defaultRegistry);
    } catch (cause) {
      const hint = cause instanceof BerthError ? cause.hint : undefined;
      throw new BerthError('invalid', `images.pinned[${index}] in ${file}: ${messageOf(cause)}`, { cause, ...(hint === undefined ? {} : { hint }) });
    }
  }
}
