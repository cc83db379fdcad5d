/** One spec as ginkgo's JSON report tells of it; of its fields those that are read here. */
interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly State: string;
  readonly Failure?: { readonly Message: string };
}

/** One suite as ginkgo's JSON report tells of it. */
export interface SuiteReport {
  readonly SpecReports: readonly SpecReport[];
}

/** A spec that did not pass, and the words of critest, none where a filter left it out. */
export interface Unpassed {
  readonly spec: string;
  readonly why: string;
}

/** What a run of critest came to. */
export interface Tally {
  readonly passed: number;
  readonly skipped: readonly Unpassed[];
  readonly failed: readonly Unpassed[];
}

/** Counts specs. What fails before or after the specs counts as a failed one. */
export function tally(suites: readonly SuiteReport[]): Tally {
  const nodes = suites.flatMap(({ SpecReports }) => SpecReports);
  const unpassed = (wanted: (node: SpecReport) => boolean): readonly Unpassed[] => nodes.filter(wanted).map(describe).toSorted((a, b) => a.spec.localeCompare(b.spec));
  return {
    passed: nodes.filter(({ LeafNodeType, State }) => LeafNodeType === 'It' && State === 'passed').length,
    skipped: unpassed(({ State }) => State === 'skipped'),
    failed: unpassed(({ State }) => State !== 'skipped' && State !== 'passed'),
  };
}

function describe({ ContainerHierarchyTexts, LeafNodeType, LeafNodeText, Failure }: SpecReport): Unpassed {
  const spec = [...(ContainerHierarchyTexts ?? []), LeafNodeText].filter((text) => text !== '').join(' ');
  return { spec: spec === '' ? LeafNodeType : spec, why: Failure?.Message ?? '' };
}

/** What a run may leave out: `spec` and `why` must both match. */
export interface Excuse {
  readonly spec: RegExp;
  readonly why: RegExp;
}

/** Every failed spec, every skipped one without an excuse, and a run in which nothing passed; empty when all is well. */
export function faultsOf({ passed, skipped, failed }: Tally, excuses: readonly Excuse[]): readonly string[] {
  const inexcusable = skipped.filter((left) => !excuses.some((excuse) => excuse.spec.test(left.spec) && excuse.why.test(left.why)));
  return [
    ...failed.map(({ spec, why }) => `failed: ${spec}: ${why}`),
    ...inexcusable.map(({ spec, why }) => `skipped without an excuse: ${spec}${why === '' ? '' : `: ${why}`}`),
    ...(passed === 0 ? ['no spec passed'] : []),
  ];
}
