import type { PluginConfig } from './config-list.ts';
import type { CniAttachment } from './port.ts';

/** The agent brings `lo` up when it makes the namespace, so running the plugin that does so would cost time only. */
export function isLoopback({ type }: PluginConfig): boolean {
  return type === 'loopback';
}

/**
 * Whether running the plugin for this pod can do anything. The reference portmap and bandwidth plugins carry out what a
 * runtime value asks for; without one they print the result that they were given. That run costs as much as any other.
 */
export function hasWork(plugin: PluginConfig, { portMappings, capabilities }: CniAttachment): boolean {
  if (isLoopback(plugin)) return false;
  if (plugin.type === 'portmap') return portMappings.length > 0;
  if (plugin.type === 'bandwidth') return capabilities['bandwidth'] !== undefined || 'ingressRate' in plugin.json || 'egressRate' in plugin.json;
  return true;
}
