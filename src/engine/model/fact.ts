import type { Owner } from './owner.ts';

/** What happened to an object. A removed one is no longer found. */
export type FactAction = 'created' | 'started' | 'stopped' | 'removed';

/** Something that has happened, told after the stores show it. */
export interface Fact {
  readonly atNs: bigint;
  readonly owner: Owner;
  readonly kind: 'sandbox' | 'container';
  readonly action: FactAction;
  readonly id: string;
  /** Of a container: `sandbox`, its id; `name`; `image`, as asked for; `exitCode`, once it has stopped. */
  readonly attributes: Readonly<Record<string, string>>;
}
