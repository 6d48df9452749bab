"""Every way to compute the attention of a prefix that is compared here: dense FlashAttention-3, ours, the peers.

Each is called as attention(query, key, value, layer) with bf16 tensors [tokens, heads, dim], twice [tokens, KV
heads, dim], on the GPU, and returns the output. `density()` is the share of the causal key blocks that the last
call read, a number or a tensor of one on the GPU, None where that is not told; `settings` says with what it runs.
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "kernels" / "capi" / "python"))

import longview_attention as longview
from sample_attention import SampleAttention, densities

import peers

DENSE = "fa3"
OURS = ("balanced", "fast")
# As the product: a question of so many tokens follows, and the last ones of a prompt are read densely.
QUESTION_TOKENS = 100
DENSE_TAIL_TOKENS = 512


class FlashAttention3:
    settings = "fa3-fwd 0.0.3, dense"

    def __init__(self):
        from fa3_fwd_interface import flash_attn_func

        self._attend = flash_attn_func

    def __call__(self, query, key, value, layer):
        return self._attend(query[None], key[None], value[None], causal=True)[0]

    def density(self):
        return 1.0


class Ours:
    """A quality class of the product, through the C interface."""

    def __init__(self, library, selection):
        plain = {name: value for name, value in selection.items() if name != "headAlpha"}
        self.settings = json.dumps(plain) + (", alpha by head" if "headAlpha" in selection else "")
        if selection["strategy"] != "tiles":
            raise ValueError(f"the product has no strategy {selection['strategy']}")
        self._attend = SampleAttention(
            library,
            longview.SelectionSettings(
                sampled_rows=selection["sampledRows"],
                pooled_keys=selection["pooledKeys"],
                score=("mean", "maximum").index(selection["score"]),
                alpha=selection["alpha"],
                count_forced_mass=selection["countForcedMass"],
                sink_blocks=selection["sinkBlocks"],
                window_tokens=selection["windowTokens"],
                min_blocks=selection["minBlocks"],
                max_blocks=selection["maxBlocks"],
                dense_above=selection["denseAbove"],
            ),
        )
        self._head_alpha = selection.get("headAlpha")
        self._of_layer = {}
        self._last = None

    def __call__(self, query, key, value, layer):
        tokens, heads = query.shape[:2]
        tail = max(0, tokens + QUESTION_TOKENS - DENSE_TAIL_TOKENS)
        dense_from = tail - tail % longview.TILE_ROWS
        output, counts = self._attend(query, key, value, dense_from, self._alpha_of(layer, heads))
        self._last = (counts, tokens)
        return output

    def density(self):
        return densities(*self._last).mean()

    def _alpha_of(self, layer, heads):
        if self._head_alpha is None:
            return None
        if layer not in self._of_layer:
            of_layer = self._head_alpha[layer * heads : (layer + 1) * heads]
            self._of_layer[layer] = torch.tensor(of_layer, device="cuda", dtype=torch.float32)
        return self._of_layer[layer]


class Peer:
    """A peer of peers.py: it does not ask which layer it is in."""

    def __init__(self, peer):
        self.settings = peer.settings
        self.density = peer.density
        self._attend = peer

    def __call__(self, query, key, value, layer):
        return self._attend(query, key, value)


def make(name, library, selections, peers_folder, compiled=True):
    """The attention `name`: `fa3`, a quality class, or a peer.

    library: liblongview_attention.so, loaded; selections: those of the quality classes; peers_folder: what
    fetch.py made; compiled as in peers.make."""
    if name == DENSE:
        return FlashAttention3()
    if name in selections:
        return Ours(library, selections[name])
    return Peer(peers.make(name, peers_folder, compiled))


def names_among(wanted):
    """All names, or those of a list with commas."""
    every = [DENSE, *OURS, *peers.PEERS]
    names = wanted.split(",") if wanted else every
    unknown = [name for name in names if name not in every]
    if unknown:
        raise ValueError(f"there is no attention {', '.join(unknown)}; there are {', '.join(every)}")
    return names
