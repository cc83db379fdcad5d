import type { Image } from '../../images/port.ts';
import type { Image as WireImage } from '../messages/image.ts';

/** The image's USER without its group: a number is a uid, anything else a name; so is a number that fits no field of the wire. */
function encodeUser(user: string): Pick<WireImage, 'uid' | 'username'> {
  const [name = ''] = user.split(':');
  return /^\d{1,18}$/.test(name) ? { uid: { value: BigInt(name) }, username: '' } : { uid: null, username: name };
}

export function encodeImage(image: Image): WireImage {
  return { id: image.id, repoTags: image.repoTags, repoDigests: image.repoDigests, size: BigInt(image.size), ...encodeUser(image.config.user), pinned: image.pinned };
}
