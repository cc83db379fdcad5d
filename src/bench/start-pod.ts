import { containerConfig, podConfig } from '../../conformance/fixtures/pods.ts';
import { criOf, type StartedPod, type Subject } from './subject.ts';

/** RunPodSandbox, CreateContainer and StartContainer, each timed from the client. */
export async function startPod(subject: Subject): Promise<StartedPod> {
  const cri = criOf(subject);
  const config = podConfig(subject.daemon.scratch, 'bench');
  const began = performance.now();
  const pod = await cri.runPod(config, subject.handler);
  const ran = performance.now();
  const container = await cri.createContainer(pod, containerConfig(subject.image, ['sleep', '3600']), config);
  const created = performance.now();
  await cri.startContainer(container);
  const started = performance.now();
  return { pod, container, timing: { run: ran - began, create: created - ran, start: started - created, total: started - began } };
}

/** StopPodSandbox and RemovePodSandbox; milliseconds. */
export async function removePod(subject: Subject, { pod }: StartedPod): Promise<number> {
  const began = performance.now();
  await criOf(subject).stopPod(pod);
  await criOf(subject).removePod(pod);
  return performance.now() - began;
}
