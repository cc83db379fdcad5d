import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waiting } from '../cri/suite.ts';
import { NriSuite } from './nri-suite.ts';
import { noPlugin } from './plugin-process.ts';

describe.skipIf(noPlugin !== undefined)('NRI synchronization', () => {
  let nri: NriSuite;
  beforeAll(async () => {
    nri = await NriSuite.start();
  });
  afterEach(async () => nri.reset());
  afterAll(async () => nri.close());

  test('a plugin that comes late hears of what exists, and then only of what happens', async () => {
    const pod = await nri.cri.pod();
    const running = await nri.cri.run(pod, [...waiting]);
    const created = await nri.cri.create(pod, [...waiting]);
    const { id: ended } = await nri.cri.finish(pod, ['true']);
    const plugin = await nri.plugin();
    const sync = await plugin.heard('Synchronize');
    expect(sync['pods']).toEqual([pod.id]);
    expect([...(sync['containers'] as string[])].toSorted()).toEqual([running, created].toSorted());
    await nri.cri.cri.removeContainer(running);
    await nri.cri.cri.removeContainer(ended);
    expect(plugin.about(running)).toEqual(['StopContainer', 'RemoveContainer']);
    expect(plugin.about(ended)).toEqual(['RemoveContainer']);
  });

  test('a container that is created while a plugin is told what exists is reported to it once', async () => {
    const gate = nri.gate();
    const pod = await nri.cri.pod();
    const before = await nri.cri.run(pod, [...waiting]);
    const plugin = nri.starting(`-hold=Synchronize=${gate.path}`);
    const sync = await plugin.heard('Synchronize');
    const creating = nri.cri.run(pod, [...waiting], { metadata: { name: 'meanwhile' } });
    gate.open();
    const id = await creating;
    expect(sync['containers']).toEqual([before]);
    expect(plugin.about(id)).toEqual(['CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StartContainer', 'PostStartContainer']);
  });

  test('whenever a plugin comes, it hears of every container exactly once', async () => {
    const pod = await nri.cri.pod();
    const first = await nri.plugin('-index=01', '-name=first', '-delay=CreateContainer=3ms');
    const plugins = [first];
    const creating = Array.from({ length: 12 }, async (_, index) => nri.cri.create(pod, ['true'], { metadata: { name: `c${index}x` } }));
    for (let index = 2; index < 8; index += 1) plugins.push(await nri.plugin(`-index=0${index}`, `-name=p${index}`));
    const ids = await Promise.all(creating);
    for (const plugin of plugins) {
      const known = (await plugin.heard('Synchronize'))['containers'] as readonly string[];
      const times = ids.map((id) => known.filter((other) => other === id).length + plugin.count('CreateContainer', id));
      expect(times).toEqual(ids.map(() => 1));
    }
  });

  test('more than one message can hold is told in parts, and still once', async () => {
    const pod = await nri.cri.pod();
    const annotations = { big: 'x'.repeat(900_000) };
    const ids = await Promise.all(Array.from({ length: 8 }, async (_, index) => nri.cri.create(pod, ['true'], { metadata: { name: `big${index}` }, annotations })));
    const plugin = await nri.plugin();
    const sync = await plugin.heard('Synchronize');
    expect(sync['pods']).toEqual([pod.id]);
    expect([...(sync['containers'] as string[])].toSorted()).toEqual(ids.toSorted());
    const more = await nri.cri.create(pod, ['true'], { annotations });
    expect((await plugin.heard('CreateContainer', more)).container).toMatchObject({ annotations });
  });

  test('a plugin may change containers while it hears of them', async () => {
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting], { metadata: { name: 'there' } });
    await nri.plugin(`-change=${JSON.stringify({ on: 'Synchronize', container: 'there', resources: { cpu: { shares: { value: 321 } } } })}`);
    await expect.poll(async () => (await nri.cri.cri.containerStatus(id)).resources?.linux?.cpu_shares).toBe('321');
  });

  test('pods and containers of an earlier berthd are told, too', async () => {
    const pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    const old = await nri.plugin();
    await nri.cri.node.stop();
    await old.heard('Shutdown');
    await nri.cri.node.startAgain();
    const plugin = await nri.plugin();
    expect(await plugin.heard('Synchronize')).toMatchObject({ pods: [pod.id], containers: [id] });
  });
});
