import { BerthError } from '../../lib/errors.ts';

/** Args of the CNI bandwidth plugin: bits per second and bits. */
export interface Bandwidth {
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

const factors: Readonly<Record<string, number>> = {
  '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50,
};

/** The plugin's burst is a 32-bit number of bits. */
const maxBurst = 2 ** 32 - 1;

/** A Kubernetes quantity such as `10M` as a whole number. */
function quantity(text: string, annotation: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kMGTP]|[KMGTP]i)?$/.exec(text) ?? [];
  if (digits === undefined) throw new BerthError('invalid', `annotation ${annotation} is "${text}", which is no bandwidth`, { hint: 'write bits per second, e.g. 10M' });
  return Math.ceil(Number(digits) * (factors[unit] ?? 1));
}

/** The limits that a pod's annotations ask for; undefined: none. */
export function bandwidth(annotations: Readonly<Record<string, string>>): Bandwidth | undefined {
  const rate = (direction: string): number | undefined => {
    const annotation = `kubernetes.io/${direction}-bandwidth`;
    const text = annotations[annotation];
    return text === undefined ? undefined : quantity(text, annotation);
  };
  const ingress = rate('ingress');
  const egress = rate('egress');
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: Math.min(ingress, maxBurst) }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: Math.min(egress, maxBurst) }),
  };
}
