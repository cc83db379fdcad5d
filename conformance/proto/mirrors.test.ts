/**
 * The messages that berth spells in TypeScript against the contracts: each type that a codec is said to code has the message's
 * fields, with their names and kinds, and takes what the codec gives for an absent field. A field that a contract gains must be
 * taken over or named below.
 */
import type { Type } from 'typescript/unstable/sync';
import { afterAll, expect, test } from 'vitest';
import { agentMethods } from '../../src/agent/methods.ts';
import { CriContract, imageService, runtimeService } from '../../src/cri/contract.ts';
import { stopSignals } from '../../src/cri/codec/stop-signal.ts';
import { groupPolicies, namespaceModes, profileTypes } from '../../src/cri/messages/common.ts';
import { containerStates, propagations } from '../../src/cri/messages/container.ts';
import { metricTypes } from '../../src/cri/messages/metrics.ts';
import { cgroupDrivers } from '../../src/cri/messages/runtime.ts';
import { containerEventTypes, protocols, sandboxStates } from '../../src/cri/messages/sandbox.ts';
import { profileTypes as nriProfileTypes, states } from '../../src/nri/describe.ts';
import { event } from '../../src/nri/events.ts';
import { nriMethods } from '../../src/nri/methods.ts';
import { fields } from '../../src/nri/owners.ts';
import { ioClasses, memoryFlags, memoryModes, policies, schedulerFlags } from '../../src/nri/words.ts';
import { shimMethods } from '../../src/shim/methods.ts';
import { leftOutOfCri, leftOutOfNri, leftOutOfShims } from './left-out.ts';
import { statuses } from '../../src/shim/shim-task.ts';
import { descriptors, loaderSpelling, Mirror, ownSpelling, type Pair } from './mirror.ts';
import { Sources } from './typescript.ts';

const sources = new Sources();
afterAll(() => {
  sources.close();
});

function differences(pairs: Iterable<Pair>, spelling = ownSpelling): Pick<Mirror, 'wrong' | 'leftOut'> {
  const mirror = new Mirror(sources, spelling);
  for (const pair of pairs) mirror.compare(pair);
  return { wrong: mirror.wrong, leftOut: mirror.leftOut };
}

interface Coded {
  readonly value: object;
  readonly type: Type;
  readonly decoded: boolean;
}

/** The codecs in a value, each with the type that it is said to code. Of the services that are `served`, requests are what is decoded. */
function* codecsIn({ value, type, decoded }: Coded, served: readonly string[]): Generator<Pair> {
  if ('typeName' in value) {
    yield { message: String(value.typeName), type: sources.returned(sources.property(type, 'decode')), decoded };
    return;
  }
  const incoming = 'service' in value && served.includes(String(value.service)) ? 'request' : 'response';
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry === 'object' && entry !== null) yield* codecsIn({ value: entry, type: sources.property(type, name), decoded: name === incoming }, served);
  }
}

test.each([
  { file: 'src/agent/methods.ts', name: 'agentMethods', methods: agentMethods(), served: [], leftOut: {} },
  { file: 'src/shim/methods.ts', name: 'shimMethods', methods: shimMethods(), served: ['containerd.services.events.ttrpc.v1.Events'], leftOut: leftOutOfShims },
  { file: 'src/nri/methods.ts', name: 'nriMethods', methods: nriMethods(), served: ['nri.pkg.api.v1alpha1.Runtime'], leftOut: leftOutOfNri },
])('$file', ({ file, name, methods, served, leftOut }) => {
  const type = sources.returned(sources.exported(file, name));
  expect(differences(codecsIn({ value: methods, type, decoded: false }, served))).toEqual({ wrong: [], leftOut });
});

const tables = {
  pods: 'podRoutes', containers: 'containerRoutes', images: 'imageRoutes', streams: 'streamRoutes', stats: 'statsRoutes', checkpoints: 'checkpointRoutes', runtime: 'runtimeRoutes',
};

/** What a handler gives: the answer, or each of a stream. */
function answerOf(handler: Type): Type {
  const returned = sources.returned(handler);
  const name = returned.getSymbol()?.name ?? '';
  return ['Promise', 'Iterable', 'AsyncIterable'].includes(name) && returned.isTypeReference() ? (sources.checker.getTypeArguments(returned)[0] ?? returned) : returned;
}

function* criPairs(): Generator<Pair> {
  const contract = new CriContract();
  const methods = new Map([runtimeService, imageService].flatMap((service) => contract.methods(service)).map((method) => [method.name, method]));
  for (const [file, name] of Object.entries(tables)) {
    const table = sources.exported(`src/cri/rpc/${file}.ts`, name);
    for (const { name: rpc } of sources.checker.getPropertiesOfType(table)) {
      const method = methods.get(rpc);
      if (method === undefined) throw new Error(`no RPC ${rpc}`);
      const handler = sources.property(table, rpc);
      const request = sources.parameter(handler, 1);
      if (request !== undefined) yield { message: method.request.typeName, type: request, decoded: true };
      yield { message: method.response.typeName, type: answerOf(handler), decoded: false };
    }
  }
}

test('the messages of CRI', () => {
  expect(differences(criPairs())).toEqual({ wrong: [], leftOut: leftOutOfCri });
});

/** Messages of CRI that the suites' types stand for in part. */
const fixtures = {
  Metadata: 'PodSandboxMetadata',
  NamespaceOptions: 'NamespaceOption',
  PodConfig: 'PodSandboxConfig',
  ContainerConfig: 'ContainerConfig',
  Condition: 'RuntimeCondition',
  PodStatus: 'PodSandboxStatus',
  ContainerStatus: 'ContainerStatus',
  PodItem: 'PodSandbox',
  ContainerItem: 'Container',
  ImageItem: 'Image',
  ExecResult: 'ExecSyncResponse',
  ContainerStats: 'ContainerStats',
  RuntimeHandler: 'RuntimeHandler',
  RuntimeStatus: 'StatusResponse',
  ContainerEvent: 'ContainerEventResponse',
  AuthConfig: 'AuthConfig',
};

test("the suites' own types", () => {
  const types = sources.exports('conformance/fixtures/cri-types.ts');
  const pairs = Object.entries(fixtures).flatMap(([name, message]) => ({ message: `runtime.v1.${message}`, type: types.get(name), decoded: false }));
  expect(differences(pairs.filter((pair): pair is Pair => pair.type !== undefined), loaderSpelling).wrong).toEqual([]);
  // Words and wrapped numbers, which are compared where they are used.
  expect([...types.keys()].toSorted()).toEqual([...Object.keys(fixtures), 'ContainerState', 'Wrapped'].toSorted());
});

const numbered = (words: readonly string[]): Readonly<Record<string, number>> => Object.fromEntries(words.map((word, index) => [word, index]));
const plain = (word: string): string => word.replaceAll(/[^a-z0-9]/gi, '').toLowerCase();

/** Numbers that berth spells, with the parts of the enum's words that berth's leave out. */
test.each([
  ['runtime.v1.ContainerState', 'CONTAINER_', numbered(containerStates)],
  ['runtime.v1.ContainerEventType', /^CONTAINER_|_EVENT$/g, numbered(containerEventTypes)],
  ['runtime.v1.PodSandboxState', 'SANDBOX_', numbered(sandboxStates)],
  ['runtime.v1.NamespaceMode', '', numbered(namespaceModes)],
  ['runtime.v1.SecurityProfile.ProfileType', '', numbered(profileTypes)],
  ['runtime.v1.SupplementalGroupsPolicy', '', numbered(groupPolicies)],
  ['runtime.v1.MountPropagation', 'PROPAGATION_', numbered(propagations)],
  ['runtime.v1.Protocol', '', numbered(protocols)],
  ['runtime.v1.Signal', /^SIGNAL_(RUNTIME_DEFAULT)?|PLUS|MINUS/g, numbered(stopSignals)],
  ['runtime.v1.MetricType', '', metricTypes],
  ['runtime.v1.CgroupDriver', '', cgroupDrivers],
  ['nri.pkg.api.v1alpha1.Event', /_SANDBOX|_CONTAINER_ADJUSTMENT/, { unknown: 0, ...event, last: event.validate + 1 }],
  ['nri.pkg.api.v1alpha1.ContainerState', /CONTAINER_/, { unknown: states.unknown, created: states.created, paused: 2, running: states.running, stopped: states.exited }],
  ['nri.pkg.api.v1alpha1.SecurityProfile.ProfileType', '', nriProfileTypes],
  ['nri.pkg.api.v1alpha1.IOPrioClass', 'IOPRIO_CLASS_NONE', numbered(ioClasses)],
  ['nri.pkg.api.v1alpha1.LinuxSchedulerPolicy', 'SCHED_NONE', numbered(policies)],
  ['nri.pkg.api.v1alpha1.LinuxSchedulerFlag', '', numbered(schedulerFlags)],
  ['nri.pkg.api.v1alpha1.MpolMode', '', numbered(memoryModes)],
  ['nri.pkg.api.v1alpha1.MpolFlag', '', numbered(memoryFlags)],
  ['containerd.v1.types.Status', '', numbered([...statuses.slice(0, 5), 'pausing'])],
])('the numbers of %s', (name, affix, numbers) => {
  const { values } = descriptors().lookupEnum(name);
  const words = (from: Readonly<Record<string, number>>) => Object.fromEntries(Object.entries(from).map(([word, number]) => [plain(word.replace(affix, '')), number]));
  expect(words(numbers)).toEqual(words(values));
});

test('what a plugin can own is as many as NRI knows', () => {
  const { values } = descriptors().lookupEnum('nri.pkg.api.v1alpha1.Field');
  expect(Object.values(values)).toEqual([0, ...fields.map((_field, index) => index + 1)]);
});
