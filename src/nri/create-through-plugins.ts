import { BerthError } from '../lib/errors.ts';
import { Adjustment } from './adjustment.ts';
import { applyAdjustment } from './apply-adjustment.ts';
import { containerMessage, podMessage } from './describe.ts';
import { event } from './events.ts';
import type { EvictionMessage } from './messages.ts';
import type { PluginMethods, ValidateRequest } from './methods.ts';
import { Owners } from './owners.ts';
import type { Plugin, Wishes } from './plugin.ts';
import type { NriAdjusted, NriCreation } from './port.ts';
import { Updates } from './updates.ts';

/** Asks one plugin after the other, each with what the others before it made of the spec, and then the validators. */
export async function createThroughPlugins(
  methods: PluginMethods,
  plugins: readonly Plugin[],
  { pod, container, spec }: NriCreation,
  signal: AbortSignal,
): Promise<{ readonly adjusted: NriAdjusted; readonly wishes: Wishes }> {
  const owners = new Owners();
  const adjustment = new Adjustment(container.id, owners);
  const updates = new Updates(owners);
  const evict: EvictionMessage[] = [];
  let adjusted = spec;
  for (const plugin of plugins.filter((other) => other.wants(event.createContainer))) {
    const answer = await plugin.ask(methods.createContainer, { pod: podMessage(pod), container: containerMessage(container, adjusted) }, signal);
    if (answer === undefined) continue;
    updates.add(plugin.name, answer.update, container.id);
    evict.push(...answer.evict);
    if (answer.adjust === null) continue;
    adjustment.add(plugin.name, answer.adjust);
    adjusted = applyAdjustment(spec, adjustment);
  }
  const validators = plugins.filter((plugin) => plugin.wants(event.validate));
  const request: ValidateRequest = {
    pod: podMessage(pod),
    container: containerMessage(container, spec),
    adjust: adjustment.message(),
    update: updates.messages(),
    owners: owners.message(),
    plugins: plugins.map(({ base, index }) => ({ name: base, index })),
  };
  await Promise.all(validators.map((plugin) => validate(methods, plugin, request, signal)));
  return { adjusted: { spec: adjusted, cdiDevices: [...adjustment.cdiDevices] }, wishes: { update: updates.messages(), evict } };
}

/** A validator that does not answer has not agreed. */
async function validate(methods: PluginMethods, plugin: Plugin, request: ValidateRequest, signal: AbortSignal): Promise<void> {
  const verdict = await plugin.ask(methods.validate, request, signal);
  const { id } = request.container;
  if (verdict === undefined) throw new BerthError('unavailable', `NRI plugin ${plugin.name}, which validates containers, did not answer for container ${id}`);
  if (verdict.reject) throw new BerthError('precondition', `NRI plugin ${plugin.name} rejects the adjustment of container ${id}: ${verdict.reason}`);
}
