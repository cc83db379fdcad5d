import type { EngineStatus } from '../../engine/port.ts';
import type { RuntimeCondition, RuntimeHandler, StatusResponse } from '../messages/runtime.ts';

function conditions({ runtimeReady, runtimeReason, network }: EngineStatus): readonly RuntimeCondition[] {
  return [
    { type: 'RuntimeReady', status: runtimeReady, reason: runtimeReady ? '' : 'RuntimeNotReady', message: runtimeReason },
    { type: 'NetworkReady', status: network.ready, reason: network.ready ? '' : 'NetworkPluginNotReady', message: network.reason },
  ];
}

/** Each handler by its name, and the default one under the empty name as well: clients look that up. */
function handlers(status: EngineStatus): readonly RuntimeHandler[] {
  const preset = status.handlers.filter(({ isDefault }) => isDefault).map(({ features }) => ({ name: '', features }));
  return [...preset, ...status.handlers.map(({ name, features }) => ({ name, features }))];
}

/** The answer to Status. A pod can only have both a user namespace and the node's network where some handler makes user namespaces. */
export function encodeStatus(status: EngineStatus): Omit<StatusResponse, 'info'> {
  const userNamespacesHostNetwork = status.handlers.some(({ features }) => features.userNamespaces);
  return {
    status: { conditions: conditions(status) },
    runtimeHandlers: handlers(status),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork, mountOptions: true },
  };
}
