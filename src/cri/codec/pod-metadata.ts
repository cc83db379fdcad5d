import type { PodConfig } from '../../engine/model/pod.ts';
import type { PodSandboxMetadata } from '../messages/sandbox.ts';

/** Who a pod is for the engine: everything that follows from its metadata, which is kept with it. */
export function identityOf(metadata: PodSandboxMetadata): Pick<PodConfig, 'owner' | 'key' | 'title' | 'plugins' | 'door'> {
  const { name, namespace, uid, attempt } = metadata;
  return { owner: 'cri', key: `${namespace}/${name}/${uid}/${attempt}`, title: `${namespace}/${name}`, plugins: { name, namespace, uid }, door: { metadata } };
}

/** The metadata that a pod of this door was made with. */
export function metadataOf({ door }: Pick<PodConfig, 'door'>): PodSandboxMetadata {
  // identityOf() wrote it, into this very process or through the state store.
  return door['metadata'] as PodSandboxMetadata;
}
