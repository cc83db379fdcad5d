import type { Fact, FactAction } from '../../engine/model/fact.ts';
import type { Engine } from '../../engine/port.ts';
import { EventHub } from './event-hub.ts';
import type { EventType, PodEvent } from './pod-event.ts';

const types: Readonly<Record<FactAction, EventType>> = { created: 'created', started: 'started', stopped: 'stopped', removed: 'deleted' };

/** The kubelet's events: listens from the beginning, and keeps for five minutes what no client has heard. */
export function podEvents(engine: Engine): EventHub {
  const hub = new EventHub();
  engine.onFact((fact) => {
    hub.publish(eventOf(engine, fact));
  });
  return hub;
}

function eventOf(engine: Engine, { action, id, atNs, attributes }: Fact): PodEvent {
  const podId = attributes['sandbox'] ?? id;
  return { type: types[action], containerId: id, atNs, pod: engine.pods.find(podId), containers: engine.containers.list({ id: '', podId, state: undefined, labels: {} }) };
}
