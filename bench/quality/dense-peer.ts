import fs from 'node:fs';
import path from 'node:path';
import type { BenchRow } from '../record';
import { type Group, sizeOf } from './rows';
import { mean } from './statistics';

/** What `dense_peer.py` writes: the best dense kernel outside the product, one layer of a prompt. */
export interface DensePeer {
  peer: string;
  layers: { tokens: number; layerMs: number }[];
}

const DENSE_PEER_FILE = 'dense-peer.json';

/** Undefined where none was timed with the cells in `out`. */
export function readDensePeer(out: string): DensePeer | undefined {
  const file = path.join(out, DENSE_PEER_FILE);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as DensePeer) : undefined;
}

/** Attention of `balanced`, all stages, beside the dense kernel at the nearest length; and what choosing takes of it. */
export function peerRows(group: Group, { peer, layers: timed }: DensePeer): BenchRow[] {
  if (group.configuration !== 'balanced') return [];
  const size = sizeOf(group.lengthTokens);
  const tokens = mean(group.cells.map(({ prefixTokens }) => prefixTokens));
  const nearest = timed.toSorted((a, b) => Math.abs(a.tokens - tokens) - Math.abs(b.tokens - tokens))[0];
  if (!nearest) return [];
  const total = mean(group.cells.map(({ outcome }) => outcome.attentionMs));
  const choosing = mean(group.cells.map(({ outcome }) => outcome.selectionMs));
  const layerMs = total / group.layers;
  const value = layerMs / 1000;
  const peerValue = nearest.layerMs / 1000;
  return [
    {
      id: `attention.sample.${size}`,
      value,
      unit: 's',
      peer,
      peerValue,
      ratio: peerValue / value,
      note:
        `one layer, choosing and attention, in the product's engine: mean over ${group.layers} layers and ` +
        `${group.cells.length} prefixes of ${Math.round(tokens)} tokens on average; the peer at ${nearest.tokens}`,
    },
    {
      id: `attention.sample.selection_share.${size}`,
      value: choosing / total,
      unit: '',
      note: 'share of stages 1 and 2 in the time of attention',
    },
  ];
}
