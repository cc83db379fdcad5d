import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

function unusedSubnet(): string {
  const routes = ip('-4', 'route', 'show', 'table', 'all');
  for (;;) {
    const subnet = `10.99.${randomBytes(1)[0] ?? 0}`;
    if (!routes.includes(`${subnet}.`)) return subnet;
  }
}

/** What is run in the node's namespace: its address on a bridge, as kernels without dummy links want it, and a way out. */
const inside = `set -e
ip link set lo up
ip link add n0 type bridge
ip address add "$2"/24 dev n0
ip link set "$1" master n0
ip link set "$1" up
ip link set n0 up
ip route add default via "$3"`;

/**
 * The link between this machine and a node that lives in a network namespace.
 *
 *     machine                         node
 *     ADDRESS.254 bcXXXXh ── bcXXXXn ─ n0 ADDRESS.1, default route
 *
 * It ends with the namespace or with {@link close}.
 */
export class NodeNetwork implements Disposable {
  /** The machine's end. */
  readonly link: string;
  readonly #inner: string;
  readonly #subnet: string;

  private constructor(id: string, subnet: string) {
    this.link = `bc${id}h`;
    this.#inner = `bc${id}n`;
    this.#subnet = subnet;
  }

  /** Makes the machine's side. */
  static create(): NodeNetwork {
    const network = new NodeNetwork(randomBytes(2).toString('hex'), unusedSubnet());
    ip('link', 'add', network.link, 'type', 'veth', 'peer', 'name', network.#inner);
    try {
      ip('address', 'add', `${network.hostAddress}/24`, 'dev', network.link);
      ip('link', 'set', network.link, 'up');
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  /** Where the node reaches this machine. */
  get hostAddress(): string {
    return `${this.#subnet}.254`;
  }

  /** Where this machine reaches the node. */
  get nodeAddress(): string {
    return `${this.#subnet}.1`;
  }

  /** Gives the other side to the network namespace of process `pid`. */
  join(pid: number): void {
    ip('link', 'set', this.#inner, 'netns', String(pid));
    execFileSync('nsenter', ['-t', String(pid), '--net', '--', 'sh', '-c', inside, 'sh', this.#inner, this.nodeAddress, this.hostAddress]);
  }

  /** Lets this machine reach pods by their addresses, which lie below `subnet` (three numbers). */
  routePods(subnet: string): void {
    ip('route', 'add', `${subnet}.0/24`, 'via', this.nodeAddress);
  }

  /** Removes the link, when the namespace did not take it along, and with it the routes. */
  close(): void {
    execFileSync('sh', ['-c', 'ip link delete "$1" 2>/dev/null || true', 'sh', this.link]);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
