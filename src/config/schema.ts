import { BerthError } from '../lib/errors.ts';
import { address, addressOrSocket, collector, registryHost, registryName, registryPrefix } from './addresses.ts';
import { duration, flag, fraction, integer, listOf, mode, oneOf, optionalFlag, path, secret, text, type Place, type ValueOf } from './field.ts';
import { table, tableOf } from './table.ts';

const runtime = table({
  /** Absolute path of the shim binary; empty: [shim] path. */
  shim: path(''),
  /** Absolute path of the OCI runtime; empty for shims that bring their own. */
  runtime: path(''),
  /** Empty: a directory below run_root. */
  runtimeRoot: path(''),
  /** Absent: as [cgroup] driver says. */
  systemdCgroup: optionalFlag(),
  protocol: oneOf('berth', ['berth', 'containerd']),
  snapshotter: oneOf('overlay', ['overlay', 'native']),
});

/** It becomes the name of a directory. */
function handlerName(written: string, place: Place): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(written)) throw new BerthError('invalid', `${place.key} in ${place.file} must be named with letters, digits, ".", "_" and "-"`);
  return written;
}

const registry = table({
  /** `host[:port]` that really serves this registry; empty: its name. */
  server: registryHost(''),
  mirrors: listOf(registryHost(), []),
  /** Plain HTTP. */
  insecure: flag(false),
  ca: path(''),
  skipVerify: flag(false),
  clientCert: path(''),
  clientKey: path(''),
  username: text(''),
  password: secret(),
  identityToken: secret(),
});

/** Every setting of berthd with its default. deploy/systemd/config.toml documents each. */
export const schema = table({
  stateRoot: path('/var/lib/berth'),
  runRoot: path('/run/berth'),
  defaultRuntime: text('crun'),
  cri: table({ socket: path(''), mode: mode(0o660), group: text('') }),
  streaming: table({
    address: address('127.0.0.1:0'),
    /** Both empty: plain HTTP. */
    tlsCert: path(''),
    tlsKey: path(''),
    clientCa: path(''),
    idleTimeout: duration(4 * 3_600_000),
    creationTimeout: duration(30_000),
  }),
  metrics: table({ listen: addressOrSocket('127.0.0.1:9464') }),
  log: table({ level: oneOf('info', ['trace', 'debug', 'info', 'warn', 'error']), format: oneOf('json', ['json', 'text']) }),
  agent: table({ path: path(''), pausePath: path('') }),
  shim: table({ path: path('') }),
  runtimes: tableOf(runtime, { name: handlerName, defaults: { crun: { runtime: '/usr/bin/crun' }, runc: { runtime: '/usr/bin/runc' } } }),
  cni: table({ confDir: path('/etc/cni/net.d'), binDirs: listOf(path('/'), ['/opt/cni/bin', '/usr/lib/cni']) }),
  cgroup: table({ driver: oneOf('auto', ['auto', 'cgroupfs', 'systemd']), parent: text('') }),
  images: table({
    defaultRegistry: registryPrefix('docker.io/library'),
    certsDirs: listOf(path('/'), ['/etc/berth/certs.d', '/etc/containerd/certs.d']),
    maxConcurrentDownloads: integer(4, { min: 1, max: 64 }),
    maxConcurrentPulls: integer(8, { min: 1, max: 256 }),
    progressTimeout: duration(300_000),
    minRate: integer(1024, { min: 0, max: 1 << 30 }),
    discardUnpackedLayers: flag(false),
    pinned: listOf(text(''), []),
  }),
  registries: tableOf(registry, { name: registryName }),
  snapshotter: table({ volatile: flag(true) }),
  containers: table({
    maxLogLineBytes: integer(16_384, { min: 256, max: 1 << 20 }),
    restrictOomScoreAdj: flag(false),
    enableUnprivilegedPorts: flag(true),
    enableUnprivilegedIcmp: flag(true),
    shmSize: integer(64 << 20, { min: 1 << 16, max: 2 ** 40 }),
    cdiSpecDirs: listOf(path('/'), ['/etc/cdi', '/var/run/cdi']),
    deviceOwnershipFromSecurityContext: flag(false),
  }),
  nri: table({ enable: flag(true), socket: path(''), registrationTimeout: duration(5000), requestTimeout: duration(2000) }),
  tracing: table({ endpoint: collector(''), sampling: fraction(1) }),
  limits: table({ startConcurrency: integer(0, { min: 0, max: 1024 }), drainTimeout: duration(30_000) }),
});

/** Settings as read at start; immutable. Durations are milliseconds. */
export type Config = ValueOf<typeof schema>;
