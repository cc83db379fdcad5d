import type { CniAttachment, CniResult, Network, NetworkStatus } from '../../cni/port.ts';
import { BerthError } from '../../lib/errors.ts';

/** A network that leases addresses and remembers who has one. */
export class FakeNetwork implements Network {
  readonly leases = new Map<string, string>();
  readonly detached: { readonly id: string; readonly netnsPath: string; readonly hadResult: boolean }[] = [];
  #next = 2;
  ready = true;
  /** DELs that fail from now on. */
  failingDetaches = 0;
  /** While set, an attach waits for it. */
  attachGate: Promise<void> | undefined;

  status(): NetworkStatus {
    return { ready: this.ready, reason: this.ready ? '' : 'no config', configPath: undefined, configJson: undefined };
  }

  async attach({ id }: CniAttachment, signal?: AbortSignal): Promise<CniResult> {
    if (!this.ready) throw new BerthError('unavailable', 'no network is configured');
    const ip = `10.0.0.${this.#next}`;
    this.#next += 1;
    this.leases.set(id, ip);
    await this.attachGate;
    signal?.throwIfAborted();
    return { network: 'test', cniVersion: '1.1.0', config: '{}', ips: [ip], interfaceName: 'eth0', raw: '{}' };
  }

  async detach({ id, netnsPath }: CniAttachment, result: CniResult | undefined): Promise<void> {
    if (this.failingDetaches > 0) {
      this.failingDetaches -= 1;
      throw new BerthError('internal', 'the plugin failed');
    }
    this.detached.push({ id, netnsPath, hadResult: result !== undefined });
    this.leases.delete(id);
  }

  async check({ id }: CniAttachment): Promise<void> {
    if (!this.leases.has(id)) throw new BerthError('not-found', `${id} is not attached`);
  }

  close(): void {
    this.ready = false;
  }
}
