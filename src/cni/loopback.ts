import type { PluginConfig } from './config-list.ts';

/** The agent brings `lo` up when it makes the namespace, so running the plugin that does so would cost time only. */
export function isLoopback({ type }: PluginConfig): boolean {
  return type === 'loopback';
}
