import type { AdjustmentMessage, DeviceMessage, HooksMessage, LinuxAdjustmentMessage, MountMessage, NamespaceMessage, NetDeviceMessage, RdtMessage, ResourcesMessage, RlimitMessage } from './messages.ts';
import type { Field, Owners } from './owners.ts';
import { noResources, overlayResources } from './resources.ts';

const marker = '-';

/** Named things to set; undefined takes the thing away. */
type Changes<Value> = Map<string, Value | undefined>;

/** Settings of which a container has one each. */
type Single = Pick<LinuxAdjustmentMessage, 'cgroupsPath' | 'oomScoreAdj' | 'ioPriority' | 'seccompPolicy' | 'scheduler' | 'memoryPolicy'>;

const singles: readonly (readonly [keyof Single, Field])[] = [
  ['cgroupsPath', 'cgroups path'],
  ['oomScoreAdj', 'OOM score adjustment'],
  ['ioPriority', 'I/O priority'],
  ['seccompPolicy', 'seccomp policy'],
  ['scheduler', 'scheduler'],
  ['memoryPolicy', 'memory policy'],
];

const hookPoints = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;

const noHooks: HooksMessage = { prestart: [], createRuntime: [], createContainer: [], startContainer: [], poststart: [], poststop: [] };

const noRdt: RdtMessage = { closId: null, schemata: null, enableMonitoring: null, remove: false };

const entry = ([key, value]: readonly [string, string | undefined]): readonly [string, string] => (value === undefined ? [marker + key, ''] : [key, value]);

/** What all plugins together change of one container that is being created. */
export class Adjustment {
  readonly annotations: Changes<string> = new Map();
  readonly mounts: Changes<MountMessage> = new Map();
  readonly env: Changes<string> = new Map();
  readonly devices: Changes<DeviceMessage> = new Map();
  readonly namespaces: Changes<NamespaceMessage> = new Map();
  readonly sysctl: Changes<string> = new Map();
  readonly netDevices: Changes<NetDeviceMessage> = new Map();
  readonly rlimits = new Map<string, RlimitMessage>();
  readonly cdiDevices = new Set<string>();
  hooks: HooksMessage = noHooks;
  args: readonly string[] = [];
  resources: ResourcesMessage = noResources;
  rdt: RdtMessage | null = null;
  single: Single = { cgroupsPath: '', oomScoreAdj: null, ioPriority: null, seccompPolicy: null, scheduler: null, memoryPolicy: null };
  readonly #container: string;
  readonly #owners: Owners;

  constructor(container: string, owners: Owners) {
    this.#container = container;
    this.#owners = owners;
  }

  /** Takes in what one plugin wants. @throws BerthError `precondition` when another one has set the same. */
  add(plugin: string, wish: AdjustmentMessage): void {
    const { linux } = wish;
    this.#change(plugin, 'annotation', this.annotations, Object.entries(wish.annotations));
    this.#change(plugin, 'mount', this.mounts, wish.mounts.map((mount) => [mount.destination, mount]));
    this.#change(plugin, 'environment variable', this.env, wish.env.map(({ key, value }) => [key, value]));
    this.#addArgs(plugin, wish.args);
    this.#addHooks(plugin, wish.hooks);
    for (const rlimit of wish.rlimits) {
      this.#claim(plugin, 'rlimit', rlimit.type);
      this.rlimits.set(rlimit.type, rlimit);
    }
    for (const { name } of wish.CDIDevices) {
      this.#claim(plugin, 'CDI device', name);
      this.cdiDevices.add(name);
    }
    if (linux !== null) this.#addLinux(plugin, linux);
  }

  /** As validators and the runtime see it. */
  message(): AdjustmentMessage {
    const pairs = <Value>(changes: Changes<Value>, removed: (key: string) => Value): Value[] => [...changes].map(([key, value]) => value ?? removed(marker + key));
    return {
      annotations: Object.fromEntries([...this.annotations].map(entry)),
      mounts: pairs(this.mounts, (destination) => ({ destination, type: '', source: '', options: [] })),
      env: [...this.env].map(entry).map(([key, value]) => ({ key, value })),
      hooks: this.hooks,
      linux: {
        ...this.single,
        devices: pairs(this.devices, (path) => ({ path, type: '', major: 0n, minor: 0n, fileMode: null, uid: null, gid: null })),
        resources: this.resources,
        namespaces: pairs(this.namespaces, (type) => ({ type, path: '' })),
        sysctl: Object.fromEntries([...this.sysctl].map(entry)),
        netDevices: Object.fromEntries([...this.netDevices].map(([key, value]) => (value === undefined ? [marker + key, { name: '' }] : [key, value]))),
        rdt: this.rdt,
      },
      rlimits: [...this.rlimits.values()],
      CDIDevices: [...this.cdiDevices].map((name) => ({ name })),
      args: this.args,
    };
  }

  #addLinux(plugin: string, linux: LinuxAdjustmentMessage): void {
    this.#change(plugin, 'device', this.devices, linux.devices.map((device) => [device.path, device]));
    this.#change(plugin, 'namespace', this.namespaces, linux.namespaces.map((namespace) => [namespace.type, namespace]));
    this.#change(plugin, 'sysctl', this.sysctl, Object.entries(linux.sysctl));
    this.#change(plugin, 'network device', this.netDevices, Object.entries(linux.netDevices));
    if (linux.resources !== null) {
      this.#owners.claimResources(this.#container, plugin, linux.resources);
      this.resources = overlayResources(this.resources, linux.resources);
    }
    for (const [name, field] of singles) {
      if (linux[name] === null || linux[name] === '') continue;
      this.#claim(plugin, field);
      this.single = { ...this.single, [name]: linux[name] };
    }
    if (linux.rdt !== null) this.#addRdt(plugin, linux.rdt);
  }

  /** Removals come first, so that a plugin may replace what another one has set. */
  #change<Value>(plugin: string, field: Field, changes: Changes<Value>, wishes: readonly (readonly [string, Value])[]): void {
    for (const [name] of wishes) {
      if (!name.startsWith(marker)) continue;
      const key = name.slice(marker.length);
      this.#owners.clear(this.#container, { field, key });
      changes.set(key, undefined);
    }
    for (const [key, value] of wishes) {
      if (key.startsWith(marker)) continue;
      this.#claim(plugin, field, key);
      changes.set(key, value);
    }
  }

  #addArgs(plugin: string, args: readonly string[]): void {
    if (args.length === 0) return;
    const replaces = args[0] === '';
    if (replaces) this.#owners.clear(this.#container, { field: 'args', key: '' });
    this.#claim(plugin, 'args');
    this.args = replaces ? args.slice(1) : args;
  }

  /** Hooks add up; each plugin may bring some. */
  #addHooks(plugin: string, hooks: HooksMessage | null): void {
    if (hooks === null || hookPoints.every((point) => hooks[point].length === 0)) return;
    this.#owners.clear(this.#container, { field: 'OCI hooks', key: '' });
    this.#claim(plugin, 'OCI hooks');
    this.hooks = Object.fromEntries(hookPoints.map((point) => [point, [...this.hooks[point], ...hooks[point]]])) as unknown as HooksMessage;
  }

  #addRdt(plugin: string, rdt: RdtMessage): void {
    const fields = [['closId', 'RDT CLOS id'], ['schemata', 'RDT schemata'], ['enableMonitoring', 'RDT monitoring']] as const;
    if (rdt.remove) {
      for (const [, field] of fields) this.#owners.clear(this.#container, { field, key: '' });
      this.rdt = { ...noRdt, remove: true };
    }
    for (const [name, field] of fields) {
      if (rdt[name] === null) continue;
      this.#claim(plugin, field);
      this.rdt = { ...(this.rdt ?? noRdt), [name]: rdt[name] };
    }
  }

  #claim(plugin: string, field: Field, key = ''): void {
    this.#owners.claim(this.#container, plugin, { field, key });
  }
}
