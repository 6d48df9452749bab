/**
 * The printable stand-ins that byte-level BPE uses for the 256 byte values: vocabularies and merges are
 * written with them, so that a space reads `Ġ` and a newline `Ċ`.
 */
export interface ByteAlphabet {
  /** The stand-in of each byte. */
  readonly charOfByte: readonly string[];
  /** The byte of each stand-in, by UTF-16 code. */
  readonly byteOfCode: ReadonlyMap<number, number>;
}

/** Bytes that stand for themselves: the printable ones of ASCII and Latin-1. */
const SELF_RANGES = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
] as const;

/** The other bytes take the codes from here on, in order. */
const FIRST_SUBSTITUTE = 0x100;

export function createByteAlphabet(): ByteAlphabet {
  const charOfByte: string[] = [];
  const byteOfCode = new Map<number, number>();
  let substitute = FIRST_SUBSTITUTE;
  for (let byte = 0; byte < 256; byte++) {
    const isSelf = SELF_RANGES.some(([first, last]) => byte >= first && byte <= last);
    const code = isSelf ? byte : substitute++;
    charOfByte.push(String.fromCharCode(code));
    byteOfCode.set(code, byte);
  }
  return { charOfByte, byteOfCode };
}
