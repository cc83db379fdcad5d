import { hasWork } from './has-work.ts';
import { type Chain, invokePlugin } from './invoke-plugin.ts';
import { PluginFailure } from './plugin-failure.ts';
import { isAtLeast } from './versions.ts';

/**
 * Runs DEL of each plugin in reverse order, going on when one fails: each of them may hold something, and what is freed now
 * cannot leak. Rejects with the first failure afterwards. `result` is what ADD ended with.
 */
export async function delChain(chain: Chain, result: string | undefined): Promise<void> {
  const prevResult = isAtLeast(chain.version, '0.4.0') ? result : undefined;
  const failures: unknown[] = [];
  for (const plugin of chain.list.plugins.toReversed()) {
    if (!hasWork(plugin, chain.attachment)) continue;
    chain.signal?.throwIfAborted();
    try {
      await invokePlugin(chain, 'DEL', plugin, prevResult);
    } catch (error) {
      if (!(error instanceof PluginFailure && error.meansUnknownContainer)) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
