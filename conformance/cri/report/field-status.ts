/** What berth does with a field that it does not simply honour. */
export type FieldStatus =
  | { readonly is: 'ignored'; readonly why: string }
  /** gRPC code that a request with the field gets. */
  | { readonly is: 'refused'; readonly code: string; readonly why: string }
  /** Done, but not shown by the suites here. */
  | { readonly is: 'unshown'; readonly why: string };

const ignored = (why: string): FieldStatus => ({ is: 'ignored', why });

const windows = ignored('berth runs on Linux');

/** Fields of requests, and whole messages, that are not simply honoured. Everything else is, and a test must have used it. */
export const requestFields: Readonly<Record<string, FieldStatus>> = {
  'PodSandboxConfig.windows': windows,
  'ContainerConfig.windows': windows,
  'UpdateContainerResourcesRequest.windows': windows,
  'VersionRequest.version': ignored('there is one version of the API'),
};

/** Fields of replies that berth leaves empty, or that the suites here cannot show. Everything else a test must have seen. */
export const replyFields: Readonly<Record<string, FieldStatus>> = {
  'ContainerResources.windows': windows,
  'PodSandboxStats.windows': windows,
};

/** The entry for a field, or for the message that it belongs to. */
export function statusOf(table: Readonly<Record<string, FieldStatus>>, field: string): FieldStatus | undefined {
  return table[field] ?? table[field.slice(0, field.indexOf('.'))];
}
