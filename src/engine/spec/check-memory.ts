import { BerthError } from '../../lib/errors.ts';
import type { HostFacts } from '../../oci/runtime-spec/input.ts';
import type { LinuxResources } from '../model/resources.ts';

/** The limit of swap is that of memory and swap together, in both cgroup versions; a negative one is none, as for memory. Where nobody accounts swap it is left out. */
export function checkMemory(
  { memoryLimitBytes: memory, memorySwapLimitBytes: both }: Pick<LinuxResources, 'memoryLimitBytes' | 'memorySwapLimitBytes'>,
  { swapControl }: Pick<HostFacts, 'swapControl'>,
): void {
  if (!swapControl || both === undefined || both < 0) return;
  const hint = 'it counts memory and swap together: use the limit of memory for no swap, -1 for no limit';
  if (memory === undefined) throw new BerthError('invalid', `memory_swap_limit_in_bytes is ${both}, and the container has no limit of memory`, { hint });
  if (memory < 0 || both < memory) throw new BerthError('invalid', `memory_swap_limit_in_bytes is ${both}, below the limit of memory, ${memory < 0 ? 'which is none' : memory}`, { hint });
}
