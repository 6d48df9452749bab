"""Writes random blocks of every tensor format and their values as the package `gguf` gives them.

    python3 -m venv VENV && VENV/bin/pip install -r scripts/goldens/gguf/requirements.txt
    VENV/bin/python scripts/goldens/gguf/make.py

For each format FORMAT: test/fixtures/gguf/FORMAT.blocks.bin (raw blocks) and FORMAT.f32.bin (little-endian fp32).
Same seed, same files.
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

SEED = 20250101
OUT = Path(__file__).resolve().parents[3] / "test" / "fixtures" / "gguf"

# Blocks of each format, and where in a block the fp16 numbers lie.
FORMATS = {
    Type.F32: (2048, ()),
    Type.F16: (4096, ()),
    Type.Q4_1: (256, (0, 2)),
    Type.Q5_0: (256, (0,)),
    Type.Q8_0: (256, (0,)),
    Type.Q4_K: (48, (0, 2)),
    Type.Q6_K: (48, (208,)),
    # Last, so that the others keep their numbers.
    Type.BF16: (4096, ()),
}


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    """Random bytes, with infinite and NaN scales replaced: no quantizer writes them."""
    count, half_offsets = FORMATS[kind]
    blocks = rng.integers(0, 256, (count, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for offset in half_offsets:
        high = blocks[:, offset + 1]
        high[(high & 0x7C) == 0x7C] &= 0xBF
    return blocks


def main() -> None:
    rng = np.random.default_rng(SEED)
    OUT.mkdir(parents=True, exist_ok=True)
    for kind in FORMATS:
        blocks = random_blocks(rng, kind)
        # The package warns of NaN among random fp32 and fp16 values; they are kept.
        with np.errstate(invalid="ignore"):
            values = dequantize(blocks, kind)
        (OUT / f"{kind.name}.blocks.bin").write_bytes(blocks.tobytes())
        (OUT / f"{kind.name}.f32.bin").write_bytes(values.astype("<f4").tobytes())


main()
