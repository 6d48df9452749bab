"""Times the matrix-vector products of a decode step beside the bandwidth limit, in one run on one GPU.

    python3 bench/kernels/decode/bench_gemv.py --library LIBRARY --commit HASH --out FILE [--only NAME]

The limit is the bandwidth of a device-to-device copy (bytes read and written), measured in the same run.
The tests of the products run first; no figure is written when one fails. Weights are many times the
cache: each product goes through copies of its matrix in turn, inside one CUDA graph.
"""

import hashlib
import math
import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ops_test
from ops_kernels import (
    IDENTITY,
    KV_BLOCK_TOKENS,
    LAYOUTS,
    Format,
    GemvParams,
    OpsKernels,
    QkvGemvParams,
    RopeKvParams,
    SwigluGemvParams,
    address,
    gemv_input,
    matrix,
)
from options import bench_options
from record import write_record
from timing import copy_bytes_per_second

# Qwen2.5-Coder-1.5B
HIDDEN, FEED_FORWARD, VOCABULARY, LAYERS = 1536, 8960, 151936, 28
HEADS, KV_HEADS, HEAD_DIM = 12, 2, 128
QKV_ROWS = (HEADS + 2 * KV_HEADS) * HEAD_DIM
POSITION = 32768

ROTATED_BYTES = 2 << 30  # of weights that one sample goes through
WARM_UPS = 3
REPEATS = 15
BF16, FP32 = 0, 1


class Weights:
    """`copies` matrices of one shape and format, behind one another in one allocation."""

    def __init__(self, rows, columns, kind, copies, seed=1):
        elements, size, halves = LAYOUTS[kind]
        self.shape, self.kind, self.copies = (rows, columns), kind, copies
        self.bytes = rows * columns // elements * size
        self.stride = (self.bytes + 255) // 256 * 256
        generator = torch.Generator("cuda").manual_seed(seed)
        if kind == Format.BF16:
            count = self.stride * copies // 2
            values = torch.randn(count, generator=generator, device="cuda", dtype=torch.bfloat16)
            self.data = (values * columns**-0.5).view(torch.uint8)
            return
        self.data = torch.randint(
            0, 256, (self.stride * copies,), generator=generator, device="cuda", dtype=torch.uint8
        )
        scale = torch.tensor([0.001 * columns**-0.5]).half().view(torch.uint8).cuda()
        for copy in range(copies):
            at = copy * self.stride
            blocks = self.data[at : at + self.bytes].view(-1, size)
            for half in halves:
                blocks[:, half : half + 2] = scale

    def matrix(self, copy):
        rows, columns = self.shape
        whole = matrix(self.data, rows, columns, self.kind)
        whole.data += copy * self.stride
        return whole


def copies_of(rows, columns, kind):
    elements, size, _ = LAYOUTS[kind]
    return max(2, math.ceil(ROTATED_BYTES / (rows * columns // elements * size)))


class Step:
    """The tensors that the products of a step share, and how each product is enqueued."""

    def __init__(self, kernels):
        self.kernels = kernels
        bf16 = lambda *shape: torch.randn(*shape, device="cuda", dtype=torch.bfloat16)
        self.hidden, self.attended, self.product = bf16(HIDDEN), bf16(HIDDEN), bf16(FEED_FORWARD)
        self.output = bf16(HIDDEN)
        self.logits = torch.empty(VOCABULARY, device="cuda")
        self.norm = torch.ones(HIDDEN, device="cuda")
        self.bias = torch.zeros(QKV_ROWS, device="cuda")
        self.query = bf16(HEADS, HEAD_DIM)
        blocks = POSITION // KV_BLOCK_TOKENS + 1
        self.pools = [bf16(blocks * KV_BLOCK_TOKENS, KV_HEADS, HEAD_DIM) for _ in range(2)]
        self.table = torch.arange(blocks, dtype=torch.int32, device="cuda")
        self.position = torch.tensor([POSITION], dtype=torch.int32, device="cuda")
        self.tables = [torch.ones(POSITION + 1, HEAD_DIM // 2, device="cuda") for _ in range(2)]

    def qkv(self, weight):
        rope = RopeKvParams(
            None,
            *map(address, (self.query, *self.pools, self.table, self.position, *self.tables)),
            None,
            None,
            0.0,
            0,
            1,
            HEADS,
            KV_HEADS,
            HEAD_DIM,
        )
        params = QkvGemvParams(weight, gemv_input(self.hidden, self.norm), address(self.bias), rope)
        self.kernels.enqueue("qkv_gemv", params)

    def attention_output(self, weight):
        self.gemv(weight, gemv_input(self.attended), self.output)

    def down(self, weight):
        self.gemv(weight, gemv_input(self.product), self.output)

    def gemv(self, weight, values, output):
        residual = address(self.hidden)
        self.kernels.enqueue(
            "gemv", GemvParams(weight, values, None, residual, address(output), BF16)
        )

    def gate_up(self, weight):
        """Gate and up behind one another in one matrix."""
        up = type(weight).from_buffer_copy(weight)
        params = SwigluGemvParams(
            weight,
            up,
            IDENTITY,
            type(IDENTITY)(1, 1, FEED_FORWARD),
            gemv_input(self.hidden, self.norm),
            address(self.product),
            FEED_FORWARD,
        )
        self.kernels.enqueue("swiglu_gemv", params)

    def head(self, weight):
        values = gemv_input(self.hidden, self.norm)
        self.kernels.enqueue(
            "gemv", GemvParams(weight, values, None, None, address(self.logits), FP32)
        )


# name: rows, columns, the step's method, what it writes
PRODUCTS = {
    "qkv": (QKV_ROWS, HIDDEN, "qkv", "query"),
    "attention_output": (HIDDEN, HIDDEN, "attention_output", "output"),
    "gate_up": (2 * FEED_FORWARD, HIDDEN, "gate_up", "product"),
    "down": (HIDDEN, FEED_FORWARD, "down", "output"),
    "lm_head": (VOCABULARY, HIDDEN, "head", "logits"),
}
LAYER = ("qkv", "attention_output", "gate_up", "down")
QUANTISED = [("gate_up", Format.Q4_K), ("down", Format.Q6_K), ("lm_head", Format.Q6_K)]


def sample_ms(graph):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    graph.replay()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def time_graph(enqueue):
    """Milliseconds of each replay of what `enqueue` enqueues."""
    enqueue()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        enqueue()
    for _ in range(WARM_UPS):
        sample_ms(graph)
    return [sample_ms(graph) for _ in range(REPEATS)]


def row(name, weight_bytes, times, limit, note):
    rates = [weight_bytes / ms / 1e6 for ms in times]
    median = statistics.median(rates)
    return {
        "id": f"decode.gemv.{name}",
        "value": round(median, 1),
        "unit": "GB/s",
        "peer": "limit",
        "peerValue": round(limit, 1),
        "ratio": round(median / limit, 4),
        "min": round(min(rates), 1),
        "median": round(median, 1),
        "max": round(max(rates), 1),
        "note": note,
    }


def checksum(tensor):
    return hashlib.sha256(tensor.contiguous().view(torch.uint8).cpu().numpy()).hexdigest()[:16]


def bench_product(step, name, kind, limit):
    rows, columns, method, written = PRODUCTS[name]
    weights = Weights(rows, columns, kind, copies_of(rows, columns, kind))
    call = getattr(step, method)
    times = time_graph(lambda: [call(weights.matrix(copy)) for copy in range(weights.copies)])
    microseconds = statistics.median(times) / weights.copies * 1e3
    note = (
        f"{kind.name} {rows} x {columns}, {microseconds:.2f} us a call, {weights.copies} copies in turn; "
        f"{REPEATS} repeats; output sha256 {checksum(getattr(step, written))}"
    )
    suffix = "" if kind == Format.BF16 else f".{kind.name.lower()}"
    return row(name + suffix, weights.bytes * weights.copies, times, limit, note)


def bench_step(step, limit):
    """All products of one token, each layer with its own weights: the step without attention."""
    weights = {name: Weights(*PRODUCTS[name][:2], Format.BF16, LAYERS) for name in LAYER}
    head = Weights(VOCABULARY, HIDDEN, Format.BF16, 1)

    def enqueue():
        for layer in range(LAYERS):
            for name in LAYER:
                getattr(step, PRODUCTS[name][2])(weights[name].matrix(layer))
        step.head(head.matrix(0))

    times = time_graph(enqueue)
    size = sum(each.bytes * each.copies for each in [*weights.values(), head])
    note = (
        f"{LAYERS} layers and head, no attention, one CUDA graph: {statistics.median(times):.4f} ms "
        f"for {size / 1e9:.3f} GB; {REPEATS} repeats; output sha256 {checksum(step.logits)}"
    )
    return row("step", size, times, limit, note)


def main():
    options = bench_options(__doc__)

    if ops_test.run_all(options.library, only="gemv"):
        sys.exit("The products fail their tests: no figures.")
    kernels = OpsKernels(options.library)
    torch.manual_seed(0)
    step = Step(kernels)
    limit = copy_bytes_per_second() / 1e9
    print(f"copy: {limit:.0f} GB/s", flush=True)
    cases = {
        name: lambda name=name: bench_product(step, name, Format.BF16, limit) for name in PRODUCTS
    }
    for name, kind in QUANTISED:
        cases[f"{name}.{kind.name.lower()}"] = lambda name=name, kind=kind: bench_product(
            step, name, kind, limit
        )
    cases["step"] = lambda: bench_step(step, limit)
    rows = []
    for name, bench in cases.items():
        if options.only not in name:
            continue
        rows.append(bench())
        print(
            f"{rows[-1]['id']:32} {rows[-1]['value']:8.1f} GB/s  {rows[-1]['ratio']:.3f}  {rows[-1]['note']}",
            flush=True,
        )
    write_record(options.out, "decode-gemv", options.commit, rows)


if __name__ == "__main__":
    main()
