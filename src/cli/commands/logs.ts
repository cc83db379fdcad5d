import { constants, watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { printJson, type Context } from '../context.ts';
import { findContainer } from '../find.ts';
import { LogEntries } from '../log-entries.ts';
import type { LogEntry } from '../log-line.ts';
import { field, nested } from '../message-fields.ts';

const chunkBytes = 256 << 10;

/** Takes what has come since the last call, which stopped at `from`; returns the new position. */
async function drain(file: FileHandle, from: number, entries: LogEntries): Promise<number> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let position = from; ; ) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) return position;
    position += bytesRead;
    entries.push(buffer.subarray(0, bytesRead));
  }
}

/** One entry as the program wrote it, or as JSON on a line of its own. */
function printEntry(entry: LogEntry, json: boolean): void {
  if (json) {
    printJson(entry, 0);
    return;
  }
  const stream = entry.stream === 'stderr' ? process.stderr : process.stdout;
  stream.write(entry.partial ? entry.content : `${entry.content}\n`);
}

/** A container that has its log directory mounted may have put a link to a file of the node there, or a FIFO that keeps its reader waiting. */
async function openLog(path: string): Promise<FileHandle> {
  const refusal = (cause?: unknown): Error => new Error(`the log ${path} is no regular file; somebody else has put something in its place`, { cause });
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw ['ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '') ? refusal(error) : error;
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw refusal();
}

/** `berth logs`: the container's CRI log file as the program wrote it, stdout and stderr apart. */
export async function showLogs(context: Context, container: string, options: { readonly follow?: boolean }): Promise<void> {
  const id = await findContainer(context, container);
  const path = field(nested(await context.cri.call('ContainerStatus', { container_id: id }), 'status'), 'log_path');
  if (path === '') throw new Error(`container ${id.slice(0, 13)} keeps no log: its pod has no log directory`);
  await using file = await openLog(path);
  const entries = new LogEntries((entry) => { printEntry(entry, context.json); });
  let position = await drain(file, 0, entries);
  if (options.follow !== true) return;
  const changes = watch(path);
  for (let running = true; running; ) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      changes.once('change', () => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
    const status = nested(await context.cri.call('ContainerStatus', { container_id: id }), 'status');
    running = field(status, 'state') === 'CONTAINER_RUNNING';
    position = await drain(file, position, entries);
  }
  changes.close();
}
