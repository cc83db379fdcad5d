import type { EngineParts } from '../parts.ts';

/**
 * The runtime will move the new process into its cgroup in a few milliseconds; what the kernel makes the first mover wait
 * for passes meanwhile. Called on creation, too, since a client starts what it created at once.
 */
export function warmCgroups(parts: EngineParts): void {
  parts.background.run('warming cgroups', {}, (signal) => parts.agent.warmCgroups(signal));
}
