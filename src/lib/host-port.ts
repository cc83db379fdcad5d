const maxPort = 65_535;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Splits `host:port`; an IPv6 address is in brackets, and an empty host means every address. Undefined for what is neither. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port > maxPort ? undefined : { host: match[1] ?? match[2] ?? '', port };
}
