import type { Context } from './context.ts';
import { field, items, nested } from './message-fields.ts';
import type { Message } from './cri-client.ts';

/** Something that a word on the command line may stand for. */
export interface Candidate {
  readonly id: string;
  readonly names: readonly string[];
  /** A pod that is ready or a container that runs: what a name most likely means. */
  readonly isLive: boolean;
}

export interface Kind {
  readonly noun: string;
  /** The command that lists them. */
  readonly list: string;
}

/** The one that an id, an id prefix or a name stands for; among several of one name the one that is live. */
export function choose(candidates: readonly Candidate[], word: string, { noun, list }: Kind): Candidate {
  const byId = candidates.filter(({ id }) => word !== '' && id.startsWith(word));
  const byName = candidates.filter(({ names }) => names.includes(word));
  const live = byName.filter(({ isLive }) => isLive);
  const found = byId.length > 0 ? byId : live.length > 0 ? live : byName;
  const [only] = found;
  if (only === undefined) throw new Error(`no ${noun} has the id or name "${word}"; see: ${list}`);
  if (found.length > 1) throw new Error(`"${word}" stands for ${found.length} of them: ${found.map(({ id }) => id.slice(0, 13)).join(', ')}; give more of the id`);
  return only;
}

const container: Kind = { noun: 'container', list: 'berth ps --all' };
const pod: Kind = { noun: 'pod', list: 'berth pods' };
const either: Kind = { noun: 'pod or container', list: 'berth pods and berth ps --all' };

async function containers({ cri }: Context): Promise<readonly Candidate[]> {
  return items(await cri.call('ListContainers'), 'containers').map((each) => ({ id: field(each, 'id'), names: [nameOf(each)], isLive: field(each, 'state') === 'CONTAINER_RUNNING' }));
}

async function pods({ cri }: Context): Promise<readonly Candidate[]> {
  return items(await cri.call('ListPodSandbox'), 'items').map((each) => ({
    id: field(each, 'id'),
    names: [nameOf(each), `${field(nested(each, 'metadata'), 'namespace')}/${nameOf(each)}`],
    isLive: field(each, 'state') === 'SANDBOX_READY',
  }));
}

const nameOf = (message: Message): string => field(nested(message, 'metadata'), 'name');

/** The id of the container that a word stands for; fails when none or several do. */
export async function findContainer(context: Context, word: string): Promise<string> {
  return choose(await containers(context), word, container).id;
}

/** The ids of the pods that the words stand for, each once; without words, of all. */
export async function findPods(context: Context, words: readonly string[]): Promise<readonly string[]> {
  const known = await pods(context);
  return words.length === 0 ? known.map(({ id }) => id) : [...new Set(words.map((word) => choose(known, word, pod).id))];
}

/** The id of the pod or container that a word stands for. */
export async function findEither(context: Context, word: string): Promise<string> {
  return choose((await Promise.all([pods(context), containers(context)])).flat(), word, either).id;
}
