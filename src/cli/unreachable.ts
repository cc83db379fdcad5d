const nextSteps: Readonly<Record<string, string>> = {
  ENOENT: 'is berthd running, and is that its socket (see --endpoint)?',
  ECONNREFUSED: 'is berthd running?',
  EACCES: 'are you root?',
};

/** What a person reads when a socket of berthd's does not answer. */
export function unreachable(socket: string, cause: Error): Error {
  const code = 'code' in cause ? String(cause.code) : '';
  return new Error(`cannot reach berthd at ${socket}: ${cause.message}; ${nextSteps[code] ?? 'is it running, and are you root?'}`, { cause });
}
