import { GGML_TYPES, type GgmlTypeName } from './gguf-file';

/** How a tensor format packs its elements: always whole blocks of `elements` in `bytes`. */
export interface BlockLayout {
  readonly elements: number;
  readonly bytes: number;
}

/** Block sizes of every format that Longview reads, as ggml defines them. */
export const BLOCK_LAYOUTS: Readonly<Record<GgmlTypeName, BlockLayout>> = {
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 },
  Q8_0: { elements: 32, bytes: 34 },
  Q4_K: { elements: 256, bytes: 144 },
  Q6_K: { elements: 256, bytes: 210 },
};

const TYPE_BY_NUMBER: ReadonlyMap<number, GgmlTypeName> = new Map(
  (Object.keys(GGML_TYPES) as GgmlTypeName[]).map((name) => [GGML_TYPES[name], name]),
);

/** The format with this number in the file format; undefined when Longview does not read it. */
export function ggmlTypeOf(number: number): GgmlTypeName | undefined {
  return TYPE_BY_NUMBER.get(number);
}

/** Names of formats that exist but that Longview does not read, so that a refusal can name them. */
const OTHER_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [2, 'Q4_0'],
  [7, 'Q5_1'],
  [9, 'Q8_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K'],
  [13, 'Q5_K'],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [20, 'IQ4_NL'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
]);

/** What to call a format that Longview does not read. */
export function nameOfUnreadType(number: number): string {
  return OTHER_TYPE_NAMES.get(number) ?? `number ${number}`;
}
