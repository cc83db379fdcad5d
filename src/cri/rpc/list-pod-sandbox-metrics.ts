import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ListPodSandboxMetricsResponse } from '../messages/metrics.ts';
import { readMetrics } from '../read-metrics.ts';

export const listPodSandboxMetrics =
  ({ engine }: Door): Unary<Empty, ListPodSandboxMetricsResponse> =>
  async (_request, signal) => ({ podMetrics: await readMetrics(engine, signal) });
