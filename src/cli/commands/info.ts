import type { Context } from '../context.ts';
import type { Message } from '../cri-client.ts';
import { field, items, nested } from '../message-fields.ts';
import { snakeKeys, table } from '../output.ts';

/** `berth info`: versions, conditions, runtime handlers and the health of the agent. */
export async function showInfo(context: Context): Promise<void> {
  const [version, status, debug] = await Promise.all([context.cri.call('Version'), context.cri.call('Status'), context.operator().then(async (operator) => snakeKeys(await operator.get('/v1/info')))]);
  context.print({ version, status, daemon: debug }, () => {
    const conditions = items(nested(status, 'status'), 'conditions').map((c) => [field(c, 'type'), c['status'] === true ? 'yes' : 'no', field(c, 'message')]);
    const missing = items(debug as Message, 'runtimes').filter((each) => each['missing'] === true);
    const remark = (name: string): string => missing.filter((each) => each['handler'] === name).map((each) => ` (${field(each, 'runtime')} is missing)`).join('');
    const handlers = items(status, 'runtime_handlers').map((h) => (field(h, 'name') || '(default)') + remark(field(h, 'name')));
    return [`berth ${field(version, 'runtime_version')}, CRI ${field(version, 'runtime_api_version')}`, table(['CONDITION', 'TRUE', 'WHY'], conditions), `runtime handlers: ${handlers.join(', ')}`, JSON.stringify(debug, undefined, 2)].join('\n');
  });
}
