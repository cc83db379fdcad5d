/** Facts beside a message. An error goes under `err`. */
export type LogFacts = Readonly<Record<string, unknown>>;

/** The part of the daemon's logger that the engine and the drivers use. */
export interface Log {
  info(fields: LogFacts, message: string): void;
  warn(fields: LogFacts, message: string): void;
  error(fields: LogFacts, message: string): void;
}
