import type { ImageId } from '../../lib/ids.ts';
import type { AccountFiles } from '../../oci/runtime-spec/user.ts';

/** Images whose account files are remembered; most nodes have fewer. */
const maxImages = 128;
/** Larger ones, which few images have, are read again each time. */
const maxLength = 1024 * 1024;

/** What images have in /etc/passwd and /etc/group, so that only an image's first container has to look. */
export class AccountCache {
  readonly #files = new Map<ImageId, AccountFiles>();

  async get(id: ImageId, read: () => Promise<AccountFiles>): Promise<AccountFiles> {
    const known = this.#files.get(id);
    if (known !== undefined) return known;
    const files = await read();
    if (files.passwd.length + files.group.length <= maxLength) this.#files.set(id, files);
    const oldest = this.#files.keys().next().value;
    if (this.#files.size > maxImages && oldest !== undefined) this.#files.delete(oldest);
    return files;
  }
}
