import { BerthError } from '../lib/errors.ts';
import { hasWork } from './has-work.ts';
import { type Chain, invokePlugin, parseResult } from './invoke-plugin.ts';

/** Runs ADD of each plugin in order, handing on the results; resolves with the last one, verbatim JSON. */
export async function addChain(chain: Chain): Promise<string> {
  let result: string | undefined;
  for (const plugin of chain.list.plugins) {
    if (!hasWork(plugin, chain.attachment)) continue;
    chain.signal?.throwIfAborted();
    result = await invokePlugin(chain, 'ADD', plugin, result);
    parseResult(result, `the result of CNI plugin "${plugin.type}"`);
  }
  if (result === undefined) throw new BerthError('precondition', `network "${chain.list.name}" has no plugin that connects a pod`);
  return result;
}
