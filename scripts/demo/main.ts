/** `make demo`: one pod's whole life on a scratch root, shown step by step; nothing of it stays. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CriClient } from '../../src/cli/cri-client.ts';
import { startDaemon, waitReady } from './daemon.ts';
import { buildDemoImage } from './image.ts';
import { removePods, startPod } from './pod.ts';
import { missingRequirements } from './requirements.ts';

const root = join(import.meta.dirname, '../..');
const image = 'demo.example/busybox:latest';

const say = (line: string): void => {
  process.stdout.write(`\n▶ ${line}\n`);
};

/** Runs the operator's tool as a user would, output shown. */
function berth(socket: string, ...args: readonly string[]): void {
  process.stdout.write(`$ berth ${args.join(' ')}\n`);
  execFileSync(join(root, 'bin/berth'), ['--endpoint', socket, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

async function show(cri: CriClient, scratch: string, socket: string): Promise<void> {
  say('importing a demo image made from this machine\'s busybox');
  berth(socket, 'import', buildDemoImage(scratch, image));
  berth(socket, 'images');
  say('starting a pod with a network: RunPodSandbox, CreateContainer, StartContainer');
  const { pod, container } = await startPod(cri, scratch, image);
  berth(socket, 'pods');
  berth(socket, 'ps');
  const status = (await cri.call('PodSandboxStatus', { pod_sandbox_id: pod }))['status'] as { network: { ip: string } };
  say(`asking the pod over its network: http://${status.network.ip}/`);
  process.stdout.write(await (await fetch(`http://${status.network.ip}/`)).text());
  say('its log, an exec and its stats');
  berth(socket, 'logs', container.slice(0, 13));
  berth(socket, 'exec', container.slice(0, 13), 'id');
  const stats = (await cri.call('ContainerStats', { container_id: container }))['stats'] as { cpu: Record<string, { value: string }>; memory: Record<string, { value: string }> };
  process.stdout.write(`cpu ${stats.cpu['usage_core_nano_seconds']?.value ?? '?'} ns, memory ${stats.memory['working_set_bytes']?.value ?? '?'} bytes\n`);
  say('where the start spent its time');
  berth(socket, 'trace', pod.slice(0, 13));
}

/** Rejects at Ctrl-C, so that what was made is removed. A second one ends the demo at once. */
const interrupted = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      reject(new Error('interrupted'));
    });
  }
});
// One that comes while things are removed anyway changes nothing.
interrupted.catch(() => undefined);

async function main(): Promise<void> {
  const missing = missingRequirements();
  if (missing.length > 0) throw new Error(missing.join('\n'));
  const scratch = mkdtempSync(join(tmpdir(), 'berth-demo-'));
  say(`starting berthd on the scratch root ${scratch}`);
  const daemon = await startDaemon(scratch);
  const cri = new CriClient(daemon.socket);
  let isUp = false;
  try {
    await Promise.race([interrupted, waitReady(daemon, scratch, async () => cri.call('Version', {}, 1000))]);
    isUp = true;
    await Promise.race([interrupted, show(cri, scratch, daemon.socket)]);
  } finally {
    say('removing every trace');
    // Before it was up nobody could make one.
    if (isUp) {
      await removePods(cri).catch((error: unknown) => {
        process.stderr.write(`could not remove the pods: ${String(error)}\n`);
      });
    }
    cri.close();
    await daemon.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  say('done');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
