/** One contiguous range of a user namespace (OCI runtime spec, linux.uidMappings). */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}
