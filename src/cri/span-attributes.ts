type Attributes = Readonly<Record<string, string>>;

interface Named {
  readonly podSandboxId?: string;
  readonly containerId?: string;
  readonly imageRef?: string;
  readonly image?: { readonly image?: string } | null;
  readonly config?: {
    readonly image?: { readonly image?: string } | null;
    readonly metadata?: { readonly uid?: string; readonly name?: string; readonly namespace?: string } | null;
  } | null;
}

/** What a request or an answer says of whom the call is about, under OpenTelemetry's names where it has one. */
export function spanAttributes(message: object): Attributes {
  const { podSandboxId, containerId, imageRef, image, config } = message as Named;
  const { uid, name, namespace } = config?.metadata ?? {};
  const pod = namespace === undefined ? {} : { 'k8s.pod.uid': uid, 'k8s.pod.name': name, 'k8s.namespace.name': namespace };
  const known = {
    'berth.pod.id': podSandboxId,
    'container.id': containerId,
    'container.image.id': imageRef,
    'container.image.name': image?.image ?? config?.image?.image,
    ...pod,
  };
  return Object.fromEntries(Object.entries(known).flatMap(([key, value]) => (typeof value === 'string' && value !== '' ? [[key, value]] : [])));
}
