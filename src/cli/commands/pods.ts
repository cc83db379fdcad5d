import type { Context } from '../context.ts';
import type { Message } from '../cri-client.ts';
import { field, items, nested } from '../message-fields.ts';
import { age, shortId, table } from '../output.ts';

const word = (state: string): string => state.replace(/^SANDBOX_|^CONTAINER_/, '').toLowerCase();

function printIds(context: Context, all: readonly Message[]): void {
  context.print(all.map((item) => field(item, 'id')), (ids) => ids.join('\n'));
}

/** `berth pods`: every pod sandbox, newest first. */
export async function listPods(context: Context, options: { readonly quiet?: boolean }): Promise<void> {
  const pods = items(await context.cri.call('ListPodSandbox'), 'items').toSorted((a, b) => Number(b['created_at']) - Number(a['created_at']));
  if (options.quiet === true) {
    printIds(context, pods);
    return;
  }
  context.print(pods, (all) =>
    table(
      ['POD', 'AGE', 'STATE', 'NAME', 'NAMESPACE', 'ATTEMPT', 'RUNTIME'],
      all.map((pod) => {
        const metadata = nested(pod, 'metadata');
        return [shortId(pod['id']), age(field(pod, 'created_at')), word(field(pod, 'state')), field(metadata, 'name'), field(metadata, 'namespace'), field(metadata, 'attempt'), field(pod, 'runtime_handler') || '(default)'];
      }),
    ),
  );
}

/** `berth ps`: running containers, or all of them. */
export async function listContainers(context: Context, options: { readonly all?: boolean; readonly quiet?: boolean }): Promise<void> {
  const filter = options.all === true ? {} : { state: { state: 'CONTAINER_RUNNING' } };
  const containers = items(await context.cri.call('ListContainers', { filter }), 'containers').toSorted((a, b) => Number(b['created_at']) - Number(a['created_at']));
  if (options.quiet === true) {
    printIds(context, containers);
    return;
  }
  context.print(containers, (all) =>
    table(
      ['CONTAINER', 'AGE', 'STATE', 'NAME', 'ATTEMPT', 'POD', 'IMAGE'],
      all.map((container) => {
        const metadata = nested(container, 'metadata');
        return [
          shortId(container['id']),
          age(field(container, 'created_at')),
          word(field(container, 'state')),
          field(metadata, 'name'),
          field(metadata, 'attempt'),
          shortId(container['pod_sandbox_id']),
          field(nested(container, 'image'), 'image'),
        ];
      }),
    ),
  );
}
