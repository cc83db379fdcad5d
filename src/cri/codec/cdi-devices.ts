const annotationPrefix = 'cdi.k8s.io/';

/** The CDI devices of a request, each once: those of its field first, then those of its `cdi.k8s.io/` annotations. */
export function decodeCdiDevices(names: readonly string[], annotations: Readonly<Record<string, string>>): readonly string[] {
  const fromAnnotations = Object.keys(annotations)
    .filter((key) => key.startsWith(annotationPrefix))
    .toSorted()
    .flatMap((key) => (annotations[key] ?? '').split(','));
  return [...new Set([...names, ...fromAnnotations])];
}
