/** The median of all slopes between two points, which a few outliers do not move. Per step. */
export function slope(values: readonly number[]): number {
  const slopes = values.flatMap((late, end) => values.slice(0, end).map((early, start) => (late - early) / (end - start))).toSorted((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  const upper = slopes[middle] ?? 0;
  return slopes.length % 2 === 1 ? upper : (upper + (slopes[middle - 1] ?? upper)) / 2;
}

export interface Bound {
  /** Growth over the last half that is noise, as a part of the median. */
  readonly part: number;
  /** And at least this much. */
  readonly least: number;
}

/** How much a series grows over its last half, when that is more than the bound allows; undefined otherwise. The first half warms up. */
export function growth(series: readonly number[], { part, least }: Bound): number | undefined {
  const half = series.slice(Math.floor(series.length / 2));
  const median = half.toSorted((a, b) => a - b)[Math.floor(half.length / 2)] ?? 0;
  const grown = slope(half) * Math.max(0, half.length - 1);
  return grown > Math.max(least, median * part) ? grown : undefined;
}
