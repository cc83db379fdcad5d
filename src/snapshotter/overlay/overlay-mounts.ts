import type { FilesystemMount } from '../../agent/port.ts';
import { escapedPath } from '../escaped-path.ts';

/** Directories of one view of a snapshot; `upper` and `work` of a writable one only. */
export interface OverlayView {
  readonly upper: string | undefined;
  readonly work: string;
  /** Topmost first. */
  readonly lower: readonly string[];
}

/**
 * The mounts that show the view at a target. overlayfs wants a lower layer with an upper one, and two without, so
 * a single directory is bound instead.
 */
export function overlayMounts({ upper, work, lower }: OverlayView, options: readonly string[]): readonly FilesystemMount[] {
  const [first, second] = lower;
  if (upper !== undefined && first === undefined) return [bind(upper, 'rw')];
  if (upper === undefined && first !== undefined && second === undefined) return [bind(first, 'ro')];
  const writable = upper === undefined ? ['ro'] : [`workdir=${escapedPath(work)}`, `upperdir=${escapedPath(upper)}`];
  return [{ type: 'overlay', source: 'overlay', options: [...options, ...writable, `lowerdir=${lower.map(escapedPath).join(':')}`] }];
}

function bind(source: string, access: 'ro' | 'rw'): FilesystemMount {
  return { type: 'bind', source, options: [access, 'rbind'] };
}
