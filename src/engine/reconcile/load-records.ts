import { messageOf } from '../../lib/errors.ts';
import type { RecordKind } from '../../state/port.ts';
import type { EngineParts } from '../parts.ts';
import { parseContainer } from '../stores/container-record.ts';
import { parsePod } from '../stores/pod-record.ts';

/** Takes pods and containers from the state store into memory; what cannot be read is set aside. */
export function loadRecords(parts: EngineParts): void {
  load(parts, 'pod', (id, value) => {
    parts.pods.restore(parsePod(id, value));
  });
  load(parts, 'container', (id, value) => {
    const container = parseContainer(id, value);
    if (parts.pods.peek(container.podId) === undefined) throw new Error(`its pod ${container.podId} is not known`);
    parts.containers.restore(container);
  });
}

function load(parts: EngineParts, kind: RecordKind, restore: (id: string, value: unknown) => void): void {
  for (const { id, value } of parts.state.load(kind)) {
    try {
      restore(id, value);
    } catch (error) {
      const reason = messageOf(error);
      parts.log.warn({ kind, id, reason }, 'a record cannot be used and is set aside; what it stood for is cleaned up');
      parts.state.quarantine(kind, id, reason);
    }
  }
}
