import type { Cri } from '../../conformance/fixtures/cri.ts';
import type { NodeDaemon } from '../../conformance/fixtures/node-daemon.ts';

/** One thing that is measured: a daemon with one of its runtime handlers. */
export interface Subject {
  readonly name: string;
  readonly daemon: NodeDaemon;
  readonly handler: string;
  /** Reference of the image that its containers run; it is there already. */
  readonly image: string;
}

export const criOf = ({ daemon }: Subject): Cri => daemon.cri;

/** Milliseconds of each call of one pod's start and end. */
export interface PodTiming {
  readonly run: number;
  readonly create: number;
  readonly start: number;
  readonly total: number;
}

/** A pod that was started and must be removed. */
export interface StartedPod {
  readonly pod: string;
  readonly container: string;
  readonly timing: PodTiming;
}
