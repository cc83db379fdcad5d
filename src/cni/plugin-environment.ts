/** Meant for berthd alone: how systemd talks with it, and how Node runs. */
const ours = /^(NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|LISTEN_(PID|FDS|FDNAMES)|NODE_.*|BERTH_.*|CNI_.*)$/;

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What plugins inherit from the daemon: they call other programs and may be set up by variables. */
export function pluginEnvironment(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const inherited = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && !ours.test(entry[0]));
  return { PATH: defaultPath, ...Object.fromEntries(inherited) };
}
