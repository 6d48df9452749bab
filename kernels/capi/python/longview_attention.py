"""longview_attention.h in Python: the structures and functions of liblongview_attention.so.

Nothing here needs torch: tensors are addresses in device memory. sample_attention.py takes torch tensors.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_void_p

ABI = 1
TILE_ROWS = 128
BLOCK_KEYS = 64
KV_BLOCK_TOKENS = 640
NEVER = 2**31 - 1
MESSAGE_BYTES = 512

TILES, STRIPS, COLUMNS = 0, 1, 2
MEAN, MAXIMUM = 0, 1
BOTH, SAMPLING, FILTERING = 0, 1, 2


class LongviewError(RuntimeError):
    """What the library reports instead of a result; `status` is a longview_status."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


def _structure(name, **fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


Heads = _structure("Heads", num_heads=c_int, num_kv_heads=c_int, head_dim=c_int)
Lists = _structure("Lists", blocks=c_void_p, counts=c_void_p, tiles=c_int, max_blocks=c_int)
PrefillCall = _structure(
    "PrefillCall",
    query=c_void_p,
    key=c_void_p,
    value=c_void_p,
    output=c_void_p,
    q_len=c_int,
    kv_len=c_int,
    num_heads=c_int,
    num_kv_heads=c_int,
    head_dim=c_int,
    softmax_scale=c_float,
    block_table=c_void_p,
    pool_blocks=c_int,
)
SelectionCall = _structure(
    "SelectionCall",
    query=c_void_p,
    key=c_void_p,
    pooled_key=c_void_p,
    q_len=c_int,
    kv_len=c_int,
    heads=Heads,
    softmax_scale=c_float,
    block_table=c_void_p,
    pool_blocks=c_int,
    pool_from=c_int,
    dense_from=c_int,
    head_alpha=c_void_p,
    workspace=c_void_p,
    lists=Lists,
)

_TileSettings = _structure("_TileSettings", sampled_rows=c_int, score=c_int)
_StripSettings = _structure("_StripSettings", segment_tokens=c_int, alpha_slashes=c_float)
_ColumnSettings = _structure("_ColumnSettings", row_step=c_int, window_share=c_float)


class SelectionSettings(ctypes.Structure):
    """longview_selection_settings, with its defaults; keywords are the fields, those of a strategy included."""

    _fields_ = [
        ("strategy", c_int),
        ("pooled_keys", c_int),
        ("tiles", _TileSettings),
        ("strips", _StripSettings),
        ("columns", _ColumnSettings),
        ("alpha", c_float),
        ("count_forced_mass", c_int),
        ("sink_blocks", c_int),
        ("window_tokens", c_int),
        ("min_blocks", c_int),
        ("max_blocks", c_int),
        ("dense_above", c_float),
    ]

    def __init__(self, **settings):
        super().__init__(
            pooled_keys=8,
            tiles=_TileSettings(16, MEAN),
            strips=_StripSettings(1024, 0.8),
            columns=_ColumnSettings(20, 0.08),
            alpha=0.8,
            sink_blocks=1,
            window_tokens=512,
            dense_above=1.0,
        )
        for name, value in settings.items():
            places = [self, self.tiles, self.strips, self.columns]
            owners = [place for place in places if name in dict(place._fields_)]
            if not owners:
                raise TypeError(f"a selection has no setting {name}")
            setattr(owners[0], name, value)


_MESSAGE = [c_char_p, c_int]
_PROTOTYPES = {
    "longview_attention_abi": (c_int, []),
    "longview_lists_tiles": (c_int, [c_int]),
    "longview_lists_pitch": (c_int, [c_int]),
    "longview_dense_prefill_create": (c_int, [POINTER(c_void_p), c_int, *_MESSAGE]),
    "longview_dense_prefill_destroy": (None, [c_void_p]),
    "longview_dense_prefill_run": (c_int, [c_void_p, POINTER(PrefillCall), c_void_p, *_MESSAGE]),
    "longview_sparse_prefill_create": (c_int, [POINTER(c_void_p), c_int, c_int, *_MESSAGE]),
    "longview_sparse_prefill_destroy": (None, [c_void_p]),
    "longview_sparse_prefill_run": (
        c_int,
        [c_void_p, POINTER(PrefillCall), POINTER(Lists), c_void_p, *_MESSAGE],
    ),
    "longview_selection_defaults": (None, [POINTER(SelectionSettings)]),
    "longview_selector_create": (
        c_int,
        [POINTER(c_void_p), POINTER(SelectionSettings), c_int, *_MESSAGE],
    ),
    "longview_selector_destroy": (None, [c_void_p]),
    "longview_selector_workspace_bytes": (c_size_t, [c_void_p, POINTER(Heads), c_int, c_int]),
    "longview_selector_pooled_bytes": (c_size_t, [c_void_p, POINTER(Heads), c_int]),
    "longview_selector_run": (
        c_int,
        [c_void_p, POINTER(SelectionCall), c_int, c_void_p, *_MESSAGE],
    ),
}


def load(path):
    """The library at `path`. Raises LongviewError where its interface is not the one of this file."""
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    abi = library.longview_attention_abi()
    if abi != ABI:
        raise LongviewError(f"{path} has interface {abi}, and this program is made for {ABI}", 1)
    return library


def call(library, name, *arguments):
    """Calls a function that takes a message last; raises LongviewError with that message."""
    message = ctypes.create_string_buffer(MESSAGE_BYTES)
    status = getattr(library, name)(*arguments, message, MESSAGE_BYTES)
    if status != 0:
        raise LongviewError(message.value.decode(), status)


class _Owner:
    """Owns one handle of a library; `kind` is the part of its functions' names."""

    kind = ""

    def __init__(self, library, *arguments):
        self._library = library
        self._handle = c_void_p()
        call(library, f"longview_{self.kind}_create", byref(self._handle), *arguments)

    def close(self):
        """Frees the handle; nothing of it may be on the device any more."""
        getattr(self._library, f"longview_{self.kind}_destroy")(self._handle)
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class DensePrefill(_Owner):
    kind = "dense_prefill"

    def __init__(self, library, portable=False):
        super().__init__(library, int(portable))

    def run(self, prefill_call, stream=None):
        call(
            self._library,
            "longview_dense_prefill_run",
            self._handle,
            byref(prefill_call),
            stream,
        )


class SparsePrefill(_Owner):
    kind = "sparse_prefill"

    def __init__(self, library, max_query_tiles=1 << 16, portable=False):
        super().__init__(library, max_query_tiles, int(portable))

    @property
    def handle(self):
        return self._handle

    def run(self, prefill_call, lists, stream=None):
        call(
            self._library,
            "longview_sparse_prefill_run",
            self._handle,
            byref(prefill_call),
            byref(lists),
            stream,
        )


class BlockSelector(_Owner):
    kind = "selector"

    def __init__(self, library, settings, portable=False):
        super().__init__(library, byref(settings), int(portable))

    def workspace_bytes(self, heads, q_len, kv_len):
        return self._library.longview_selector_workspace_bytes(
            self._handle, byref(heads), q_len, kv_len
        )

    def pooled_bytes(self, heads, kv_len):
        return self._library.longview_selector_pooled_bytes(self._handle, byref(heads), kv_len)

    def run(self, selection_call, stages=BOTH, stream=None):
        call(
            self._library,
            "longview_selector_run",
            self._handle,
            byref(selection_call),
            stages,
            stream,
        )
