import type { Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ListMetricDescriptorsResponse } from '../messages/metrics.ts';
import { metricDescriptors } from '../pod-metrics/encode-metrics.ts';

export const listMetricDescriptors = (): Unary<Empty, ListMetricDescriptorsResponse> => () => ({ descriptors: metricDescriptors() });
