import { vi } from 'vitest';

/** From here on the clock stands still but for `vi.advanceTimersByTimeAsync`; sockets go on. */
export function fakeIdling(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
}
