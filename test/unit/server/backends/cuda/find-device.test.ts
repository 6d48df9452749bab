import assert from 'node:assert/strict';
import { loadAddon } from '../../../../../server/backends/cuda/addon';
import { findCudaDevice, hasNvidiaDriver } from '../../../../../server/backends/cuda/find-device';
import { DEVICE, fakeAddon } from './fake-addon';

const no = () => false;
const yes = () => true;

suite('findCudaDevice', () => {
  test('takes the first GPU that the kernels run on', () => {
    const old = { index: 0, name: 'Old', failure: 'its compute capability is 7.5' };
    const found = findCudaDevice({ addon: fakeAddon({ devices: [old, { ...DEVICE, index: 1 }] }) }, yes);
    assert.ok(found.kind === 'usable');
    assert.equal(found.device.index, 1);
  });

  test('takes the GPU that is named, and says what there is instead', () => {
    const second = { ...DEVICE, index: 1, name: 'Second' };
    const old = { index: 2, name: 'Old', failure: 'too old' };
    const find = (gpu: number) =>
      findCudaDevice({ addon: fakeAddon({ devices: [DEVICE, second, old] }) }, yes, gpu);
    const found = find(1);
    assert.ok(found.kind === 'usable');
    assert.equal(found.device.name, 'Second');
    assert.deepEqual(find(2), { kind: 'none', reason: 'Old: too old' });
    const missing = find(3);
    assert.ok(missing.kind === 'none');
    assert.match(missing.reason, /no GPU 3; this machine has 0 \(NVIDIA Fake\), 1 \(Second\), 2 \(Old\)/);
  });

  test('says why no GPU can be used', () => {
    const reasonOf = (probe: Parameters<typeof fakeAddon>[0]) => {
      const found = findCudaDevice({ addon: fakeAddon(probe) }, yes);
      return found.kind === 'none' ? found.reason : found.kind;
    };
    assert.equal(
      reasonOf({ devices: [], failure: 'no NVIDIA driver is installed' }),
      'no NVIDIA driver is installed',
    );
    assert.equal(reasonOf({ devices: [] }), 'the NVIDIA driver finds no GPU');
    assert.equal(reasonOf({ devices: [{ index: 0, name: 'Old', failure: 'too old' }] }), 'Old: too old');
  });

  test('tells a GPU without the addon from no GPU', () => {
    assert.equal(findCudaDevice({ missing: 'no such file' }, yes).kind, 'build');
    assert.equal(findCudaDevice({ missing: 'no such file' }, no).kind, 'none');
    assert.equal(hasNvidiaDriver(no), false);
    assert.equal(
      hasNvidiaDriver((file) => file === '/dev/nvidiactl'),
      true,
    );
  });

  test('a missing addon is told, not thrown', () => {
    const result = loadAddon('/nowhere/longview-cuda.node');
    assert.ok('missing' in result);
    assert.match(result.missing, /longview-cuda\.node/);
  });
});
