/** One value of a metric, with the values of the labels that only this metric has. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: bigint;
}

/** A metric as cAdvisor names it, and how to read it. Nothing is read where it is not known. */
export interface MetricRow<Subject> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Labels beyond those that every metric has. */
  readonly labels: readonly string[];
  readonly read: (subject: Subject) => readonly Sample[];
}

/** The labels of every metric, as the kubelet's own cAdvisor has them. */
export const baseLabels: readonly string[] = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

/** A metric with one value. */
export function single<Subject>(type: MetricRow<Subject>['type'], name: string, help: string, read: (subject: Subject) => bigint | undefined): MetricRow<Subject> {
  const samples = (value: bigint | undefined): readonly Sample[] => (value === undefined ? [] : [{ labels: [], value }]);
  return { name: `container_${name}`, help, type, labels: [], read: (subject) => samples(read(subject)) };
}
