import { StreamingClient, type Transport } from '../../conformance/streaming/streaming-client.ts';
import { removePod, startPod } from './start-pod.ts';
import { criOf, type Subject } from './subject.ts';

/** MB/s of an exec's stdout as kubectl's client code receives it, from its first byte to its last. */
export type StreamResult = Readonly<Record<Transport, number>>;

const mebibyte = 1 << 20;
/** The newest one that containerd speaks over both transports. */
const protocol = 'v4.channel.k8s.io';
const streams = { stdout: true, stderr: true };

/** Streams so much out of a running container over each transport; a little comes first that does not count. */
export async function measureStream(subject: Subject, mebibytes: number): Promise<StreamResult> {
  const started = await startPod(subject);
  const rateOver = async (transport: Transport): Promise<number> => {
    await stream(subject, started.container, { transport, mebibytes: 1 });
    return stream(subject, started.container, { transport, mebibytes });
  };
  const result = { spdy: await rateOver('spdy'), websocket: await rateOver('websocket') };
  await removePod(subject, started);
  return result;
}

async function stream(subject: Subject, container: string, { transport, mebibytes }: { readonly transport: Transport; readonly mebibytes: number }): Promise<number> {
  const cmd = ['dd', 'if=/dev/zero', 'bs=1M', `count=${mebibytes}`];
  const { url } = await criOf(subject).call<{ readonly url: string }>('Exec', { container_id: container, cmd, ...streams });
  const { stdout, stderr, code } = await new StreamingClient(url, { transport, streams, flags: ['-count', `-protocol=${protocol}`] }).result;
  const [bytes = '', rate = ''] = stdout.trim().split(' ');
  if (code !== 0 || Number(bytes) !== mebibytes * mebibyte) throw new Error(`${subject.name} streamed ${bytes || 'no'} bytes of ${mebibytes} MiB over ${transport}: ${stderr.trim()}`);
  return Number(rate);
}
