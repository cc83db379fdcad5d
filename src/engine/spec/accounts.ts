import type { Image } from '../../images/port.ts';
import type { FilesystemMount } from '../../agent/port.ts';
import type { AccountFiles } from '../../oci/runtime-spec/user.ts';
import type { EngineParts } from '../parts.ts';

const text = (content: Uint8Array | undefined): string => new TextDecoder().decode(content);

/** The image's /etc/passwd and /etc/group; `rootfs` is a snapshot of the image that nobody has written to yet. */
export function readAccounts(
  { agent, accounts }: Pick<EngineParts, 'agent' | 'accounts'>,
  image: Image,
  rootfs: readonly FilesystemMount[],
  signal: AbortSignal,
): Promise<AccountFiles> {
  return accounts.get(image.id, async () => {
    const [passwd, group] = await agent.readSnapshotFiles(rootfs, ['/etc/passwd', '/etc/group'], signal);
    return { passwd: text(passwd), group: text(group) };
  });
}
