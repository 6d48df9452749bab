import assert from 'node:assert/strict';
import { folderOf } from '../../../bench/record';

suite('bench records', () => {
  for (const [device, folder] of [
    ['NVIDIA H200', 'h200'],
    ['NVIDIA H100 80GB HBM3', 'h100'],
    ['NVIDIA GeForce RTX 4090', 'nvidia-geforce-rtx-4090'],
  ] as const) {
    test(`of ${device} lie in ${folder}`, () => assert.equal(folderOf(device), folder));
  }
});
