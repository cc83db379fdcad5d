import type { Context } from '../context.ts';
import { items, strings } from '../message-fields.ts';
import { bytes, shortId, table } from '../output.ts';

/** `berth images`: what the node holds, a line a tag. */
export async function listImages(context: Context): Promise<void> {
  const images = items(await context.cri.call('ListImages'), 'images');
  context.print(images, (all) =>
    table(
      ['IMAGE', 'ID', 'SIZE', 'PINNED'],
      all.flatMap((image) => {
        const names = strings(image, 'repo_tags').length > 0 ? strings(image, 'repo_tags') : strings(image, 'repo_digests');
        return (names.length > 0 ? names : ['<none>']).map((name) => [name, shortId(image['id']), bytes(Number(image['size'])), image['pinned'] === true ? 'yes' : '']);
      }),
    ),
  );
}
