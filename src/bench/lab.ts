import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startContainerd } from '../../conformance/fixtures/containerd.ts';
import { startBerth } from '../../conformance/fixtures/daemon.ts';
import type { NodeDaemon } from '../../conformance/fixtures/node-daemon.ts';
import { Registry } from '../../conformance/fixtures/registry.ts';
import { TestImages } from '../../conformance/fixtures/test-images.ts';
import { buildPeers, whyNotBuildable } from '../../conformance/peers/build.ts';
import type { Subject } from './subject.ts';

/** Every subject, the handler first that its daemon takes by default. */
const daemons = [
  { name: 'berth', handlers: ['crun', 'runc'] },
  { name: 'containerd', handlers: ['runc', 'crun'] },
] as const;

export interface LabOptions {
  /** Names of subjects; empty for all. */
  readonly only: readonly string[];
  /** Whether streams will be measured, for which a client has to be built. */
  readonly streams: boolean;
}

/** The daemons side by side, each with the image that is measured. */
export class Lab implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  readonly #daemons: NodeDaemon[] = [];
  #registry: Registry | undefined;
  readonly subjects: Subject[] = [];

  async start({ only, streams }: LabOptions, print: (line: string) => void): Promise<void> {
    if (streams) await buildPeers(['streaming-client'], print);
    const images = new TestImages();
    this.#registry = await Registry.start({ directory: this.#directory });
    const image = await this.#registry.push('busybox', '1', images.busybox());
    const pauseImage = await this.#registry.push('pause', '1', images.pause());
    for (const { name, handlers } of daemons) {
      const wanted = handlers.filter((handler) => only.length === 0 || only.includes(`${name}+${handler}`));
      if (wanted.length === 0 || !(await available(name, print))) continue;
      print(`starting ${name}`);
      const daemon = name === 'berth' ? await startBerth({ insecureRegistries: [this.#registry.host], config: { log: { level: 'info' } } }) : await startContainerd({ pauseImage });
      this.#daemons.push(daemon);
      await daemon.cri.pullImage(image);
      this.subjects.push(...wanted.map((handler) => ({ name: `${name}+${handler}`, daemon, handler, image })));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) await daemon.close();
    await this.#registry?.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function available(name: string, print: (line: string) => void): Promise<boolean> {
  if (name !== 'containerd') return true;
  const reason = whyNotBuildable();
  if (reason === undefined) await buildPeers(['containerd', 'containerd-shim-runc-v2'], print);
  else print(`leaving containerd out: ${reason}`);
  return reason === undefined;
}
