export type Edges = ReadonlyMap<string, ReadonlySet<string>>;

/** Each way that leads back to where it began, once. */
export function cyclesOf(edges: Edges): readonly string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (node: string, path: readonly string[]): void => {
    if (path.includes(node)) cycles.push([...path.slice(path.indexOf(node)), node].join(' → '));
    else if (!done.has(node)) for (const next of edges.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return cycles;
}
