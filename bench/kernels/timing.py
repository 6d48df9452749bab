"""Times implementations of one operation in turn, each in its own steady state."""

import math
import statistics

import torch

WARM_UPS = 2
REPEATS = 5
# At these rates the card runs at its power limit, and its clock follows what ran in the last tenths
# of a second. So each sample comes after this much of the same work, whoever had the turn before.
SETTLE_MS = 200
# Short calls are repeated inside one sample, to this many milliseconds.
SAMPLE_MS = 40
# Far larger than the caches; smaller copies do not reach the bandwidth.
COPY_BYTES = 4 << 30
COPY_REPEATS = 20


def elapsed_ms(implementation, inputs, calls):
    """Milliseconds of one of `calls` calls."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        implementation(*inputs)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / calls


def measure(implementations, inputs, repeats=REPEATS):
    """Milliseconds of one call: {name: [repeats]}."""
    once = {}
    for name, implementation in implementations.items():
        elapsed_ms(implementation, inputs, WARM_UPS)
        once[name] = elapsed_ms(implementation, inputs, 1)
    times = {name: [] for name in implementations}
    order = list(implementations)
    for _ in range(repeats):
        for name in order:
            implementation = implementations[name]
            elapsed_ms(implementation, inputs, math.ceil(SETTLE_MS / once[name]))
            sample = elapsed_ms(implementation, inputs, math.ceil(SAMPLE_MS / once[name]))
            times[name].append(sample)
        order.reverse()
    return times


def copy_bytes_per_second():
    """Bandwidth of the device's memory: a copy of COPY_BYTES, bytes read and written, on the stream. (As a
    node of a CUDA graph the same copy may go to a slower copy engine.)"""
    source = torch.randint(0, 256, (COPY_BYTES,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    times = []
    for i in range(WARM_UPS + COPY_REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        if i >= WARM_UPS:
            times.append(start.elapsed_time(end))
    return 2 * COPY_BYTES / statistics.median(times) * 1e3
