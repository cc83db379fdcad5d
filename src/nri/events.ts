/** proto's Event. */
export const event = {
  runPod: 1,
  stopPod: 2,
  removePod: 3,
  createContainer: 4,
  postCreateContainer: 5,
  startContainer: 6,
  postStartContainer: 7,
  updateContainer: 8,
  postUpdateContainer: 9,
  stopContainer: 10,
  removeContainer: 11,
  updatePod: 12,
  postUpdatePod: 13,
  validate: 14,
} as const;

export type EventNumber = (typeof event)[keyof typeof event];

export const podEvents = { run: event.runPod, stop: event.stopPod, remove: event.removePod, 'post-update': event.postUpdatePod } as const;

export const containerEvents = {
  'post-create': event.postCreateContainer,
  start: event.startContainer,
  'post-start': event.postStartContainer,
  'post-update': event.postUpdateContainer,
  remove: event.removeContainer,
} as const;

/** A bit for each event. */
const allEvents = (1 << event.validate) - 1;

/** The subscription in a plugin's answer, where 0 stands for all; undefined when it names events that do not exist. */
export function subscription(mask: number): number | undefined {
  if (mask === 0) return allEvents;
  return (mask & ~allEvents) === 0 ? mask : undefined;
}

export const includes = (mask: number, number: EventNumber): boolean => (mask & (1 << (number - 1))) !== 0;
