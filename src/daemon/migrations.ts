import { containerFromVersion1, podFromVersion1 } from '../cri/records/from-version-1.ts';
import type { Migration } from '../state/migrate.ts';
import { schema } from '../state/schema.ts';

/**
 * What brings a database from schema version n to n+1, at index n. A released step is never changed: a database that was
 * written by that release has taken it already. What only a door can know of old records, that door adds.
 */
export const migrations: readonly Migration[] = [schema, { pod: podFromVersion1, container: containerFromVersion1 }];
