import { resolve } from 'node:path';
import { printable } from '../../lib/clean-text.ts';
import type { Context } from '../context.ts';
import { bytes, shortId, snakeKeys } from '../output.ts';

interface Progress {
  readonly phase: string;
  readonly layers: readonly { readonly digest: string; readonly doneBytes: number; readonly totalBytes: number; readonly unpacked: boolean }[];
}

interface PullLine {
  readonly progress?: Progress;
  readonly image?: { readonly id: string; readonly repoTags: readonly string[]; readonly repoDigests: readonly string[] };
  readonly error?: string;
}

const barWidth = 30;

function layerLine(layer: Progress['layers'][number]): string {
  const share = layer.totalBytes === 0 ? 1 : layer.doneBytes / layer.totalBytes;
  const filled = Math.round(Math.min(1, share) * barWidth);
  const state = layer.unpacked ? 'unpacked' : share >= 1 ? 'unpacking' : `${bytes(layer.doneBytes)} of ${bytes(layer.totalBytes)}`;
  return `${shortId(layer.digest)} [${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${state}`;
}

/** Redraws the bars in place on a terminal; elsewhere says each phase once. */
function progressPrinter(): (progress: Progress) => void {
  let drawn = 0;
  let phase = '';
  return (progress) => {
    if (!process.stderr.isTTY) {
      if (progress.phase !== phase) process.stderr.write(`${progress.phase}\n`);
      phase = progress.phase;
      return;
    }
    const lines = [progress.phase, ...progress.layers.map(layerLine)].map(printable);
    process.stderr.write(`${drawn > 0 ? `\u001B[${drawn}A` : ''}${lines.map((line) => `\u001B[2K${line}\n`).join('')}`);
    drawn = lines.length;
  };
}

/** `berth pull`: pulls an image and shows a bar for each layer. Credentials come from the node's config. */
export async function pullImage(context: Context, reference: string): Promise<void> {
  const show = progressPrinter();
  const last = (await (await context.operator()).post('/v1/pull', { reference }, (message) => {
    const { progress } = message as PullLine;
    if (progress !== undefined && !context.json) show(progress);
  })) as PullLine;
  if (last.error !== undefined) throw new Error(last.error);
  context.print(snakeKeys(last.image), () => `${last.image?.id ?? ''}  ${reference}`);
}

/** `berth import`: loads an OCI layout or docker-archive tar. */
export async function importImage(context: Context, path: string, options: { readonly reference?: string }): Promise<void> {
  const reply = (await (await context.operator()).post('/v1/import', { path: resolve(path), ...options })) as { readonly images: readonly { id: string; repoTags: readonly string[] }[] };
  context.print(snakeKeys(reply.images), () => reply.images.map((image) => `${image.id}  ${image.repoTags.join(' ')}`).join('\n'));
}
