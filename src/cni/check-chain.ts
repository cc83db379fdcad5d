import { hasWork } from './has-work.ts';
import { type Chain, invokePlugin } from './invoke-plugin.ts';
import { isAtLeast } from './versions.ts';

/** Runs CHECK of each plugin in order, where the version has it and the config does not forbid it. */
export async function checkChain(chain: Chain, result: string): Promise<void> {
  if (chain.list.disableCheck || !isAtLeast(chain.version, '0.4.0')) return;
  for (const plugin of chain.list.plugins) {
    if (!hasWork(plugin, chain.attachment)) continue;
    chain.signal?.throwIfAborted();
    await invokePlugin(chain, 'CHECK', plugin, result);
  }
}
