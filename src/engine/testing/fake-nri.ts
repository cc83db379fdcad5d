import type { ContainerEvent, Nri, NriAdjusted, NriCreation, NriHost, NriPod, NriSubject, PodEvent } from '../../nri/port.ts';
import type { OciResources } from '../../oci/runtime-spec/types.ts';

/** Plugins that only listen, unless a test makes them change or refuse something. None at first. */
export class FakeNri implements Nri {
  active = false;
  /** Events with the name of their object, in order. */
  readonly events: string[] = [];
  /** An event in here is refused, once. */
  readonly refused = new Set<string>();
  host: NriHost | undefined;
  adjust: (creation: NriCreation) => NriAdjusted = ({ spec }) => ({ spec, cdiDevices: [] });
  change: (asked: OciResources) => OciResources = (asked) => asked;
  /** While set, every event waits for it. */
  gate: Promise<void> | undefined;

  async open(host: NriHost): Promise<void> {
    this.host = host;
  }

  async podEvent(event: PodEvent, pod: NriPod): Promise<void> {
    await this.#told(`${event}-pod`, pod.name);
  }

  async updatePod(pod: NriPod): Promise<void> {
    await this.#told('update-pod', pod.name);
  }

  async createContainer(creation: NriCreation): Promise<NriAdjusted> {
    await this.#told('create', creation.container.name);
    return this.adjust(creation);
  }

  async containerEvent(event: ContainerEvent, { container }: NriSubject): Promise<void> {
    await this.#told(event, container.name);
  }

  async updateContainer({ container }: NriSubject, asked: OciResources): Promise<OciResources> {
    await this.#told('update', container.name);
    return this.change(asked);
  }

  async stopContainer({ container }: NriSubject): Promise<void> {
    await this.#told('stop', container.name);
  }

  async #told(event: string, name: string): Promise<void> {
    this.events.push(`${event} ${name}`);
    await this.gate;
    if (this.refused.delete(event)) throw new Error(`a plugin refuses ${event}`);
  }
}
