import { buildImage, type Image } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import type { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { TestImages } from '../fixtures/test-images.ts';
import type { TomlTable } from '../fixtures/toml.ts';

/** The registries whose images conformance clients ask for. One local registry stands in for all of them. */
export const upstreamHosts = ['registry.k8s.io', 'gcr.io', 'k8s.gcr.io'] as const;

const tools = 'k8s-staging-cri-tools';

interface Named {
  readonly repository: string;
  readonly tags: readonly string[];
  readonly image: Image;
}

/** A small image that is looked at and never run. */
const inspected = (name: string, user = ''): Image =>
  buildImage({ label: name, layers: [layer([file('name', `${name}\n`)])], run: { Cmd: ['sh'], ...(user === '' ? {} : { User: user }) } });

const toolsImage = (name: string, image: Image, tags: readonly string[] = ['latest']): Named => ({ repository: `${tools}/${name}`, tags, image });

/** Images that run, with the programs which their names promise. */
function runnable(images: TestImages): readonly Named[] {
  return [
    { repository: 'e2e-test-images/busybox', tags: ['1.29-2'], image: images.dynamicBusybox('e2e-busybox') },
    { repository: 'e2e-test-images/nginx', tags: ['1.14-2'], image: images.nginx('e2e-nginx') },
    { repository: 'e2e-test-images/httpd', tags: ['2.4.39-4'], image: images.httpd('e2e-httpd') },
    { repository: 'e2e-test-images/nonewprivs', tags: ['1.3'], image: images.noNewPrivileges('e2e-nonewprivs') },
    { repository: 'pause', tags: ['3.9'], image: images.pause('pause-3.9') },
    toolsImage('hostnet-nginx-amd64', images.nginx('hostnet-nginx', 12_003)),
    toolsImage('hostnet-nginx-arm64', images.nginx('hostnet-nginx', 12_003)),
    toolsImage('test-image-predefined-group', images.predefinedGroup()),
    toolsImage('test-image-tag', images.testFile('tag-test'), ['test']),
    toolsImage('test-image-latest', images.busybox('image-latest')),
  ];
}

/** Images about which only names, ids and users matter. Removing one takes every tag of its id along, so the ids differ. */
function inspectable(): readonly Named[] {
  return [
    toolsImage('test-image-tag', inspected('tag-all'), ['all']),
    toolsImage('test-image-tags', inspected('tags'), ['1', '2', '3']),
    ...['digest', '1', '2', '3'].map((name) => toolsImage(`test-image-${name}`, inspected(`image-${name}`))),
    toolsImage('test-image-user-uid', inspected('user-uid', '1002')),
    toolsImage('test-image-user-username', inspected('user-username', 'www-data')),
    toolsImage('test-image-user-uid-group', inspected('user-uid-group', '1003:1004')),
    toolsImage('test-image-user-username-group', inspected('user-username-group', 'www-data:1004')),
  ];
}

/** Builds the images that CRI's conformance clients ask for and pushes them under the paths that they have upstream. */
export async function pushUpstreamImages(registry: Registry, images = new TestImages()): Promise<void> {
  for (const { repository, tags, image } of [...runnable(images), ...inspectable()]) {
    for (const tag of tags) await registry.push(repository, tag, image);
  }
}

/** berthd's settings under which `host`, a registry that speaks plain HTTP, answers for all upstream registries. */
export function upstreamMirrors(host: string): TomlTable {
  return { registries: { [host]: { insecure: true }, ...Object.fromEntries(upstreamHosts.map((upstream) => [upstream, { mirrors: [host] }])) } };
}
