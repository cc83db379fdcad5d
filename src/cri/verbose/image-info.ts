import type { Image } from '../../images/port.ts';
import { infoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** What `crictl inspecti` prints under `info`. `document` is the image's config as its author wrote it. */
export function imageInfo(image: Image, document: Uint8Array | undefined): StringMap {
  return {
    info: infoJson({
      chainID: image.topSnapshot ?? '',
      manifestDigest: image.manifestDigest,
      layers: image.layers,
      imageSpec: document === undefined ? null : JSON.parse(new TextDecoder().decode(document)),
    }),
  };
}
