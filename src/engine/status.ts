import { kernelFloor, kernelTrouble } from './kernel-floor.ts';
import type { EngineParts } from './parts.ts';
import type { EngineStatus } from './port.ts';

/** See Engine.status. */
export function engineStatus(parts: EngineParts): EngineStatus {
  const { config, features, health, network, shims } = parts;
  const trouble = kernelTrouble(config.kernelRelease) || health.trouble;
  return {
    runtimeReady: trouble === '',
    runtimeReason: trouble,
    network: network.status(),
    handlers: shims.handlers().map((handler) => Object.assign({ isDefault: handler.name === config.defaultHandler, features: features.of(handler.name), known: features.versionOf(handler.name) }, handler)),
    cgroupDriver: config.cgroupDriver,
    kernel: { release: config.kernelRelease, oldest: kernelFloor },
  };
}
