"""Checks sampling on a GPU: python3 test/kernels/ops_sampling_test.py LIBRARY [--only NAME]

The expected tokens are those of the CPU backend's Sampler, whose steps are repeated here in fp64.
"""

import math
import struct
from contextlib import nullcontext

import numpy
import torch

from ops_kernels import KernelError, OpsKernels, SampleParams, SamplerState, address
from suite_runner import main, run_suites

SAMPLED, UNUSABLE, NONE_FINITE = 0, 1, 2
VOCABULARY, FIRST_UNUSED = 151936, 151665
MASK = 0xFFFFFFFF


class Random:
    """`seededRandom` of server/backends/onnx/random.ts."""

    def __init__(self, seed):
        low, high = struct.unpack("<II", struct.pack("<d", seed))
        counter = low ^ (high * 0x85EBCA6B & MASK)
        self.state = []
        for _ in range(4):
            counter = (counter + 0x9E3779B9) & MASK
            mixed = (counter ^ (counter >> 16)) * 0x21F0AAAD & MASK
            mixed = (mixed ^ (mixed >> 15)) * 0x735A2D97 & MASK
            self.state.append(mixed ^ (mixed >> 15))

    def __call__(self):
        high, low = self._word() >> 5, self._word() >> 6
        return (high * 2**26 + low) / 2**53

    def _word(self):
        rotate = lambda value, bits: (value << bits | value >> (32 - bits)) & MASK
        a, b, c, d = self.state
        result = rotate(b * 5 & MASK, 7) * 9 & MASK
        third, fourth = c ^ a, d ^ b
        self.state = [a ^ fourth, b ^ third, third ^ (b << 9 & MASK), rotate(fourth, 11)]
        return result


class Sampler:
    """`Sampler` of server/backends/onnx/sampler.ts; with how near each draw was to another token."""

    def __init__(self, temperature, top_k, top_p, seed):
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.random = Random(seed)
        self.margin = math.inf

    def sample(self, logits):
        logits = logits.astype(numpy.float64)
        best = int(logits.argmax())
        if self.temperature <= 0:
            return best
        weights = numpy.exp((logits - logits[best]) / self.temperature)
        limited = 0 < self.top_k < len(logits)
        if not limited and self.top_p >= 1:
            return self._draw(numpy.arange(len(logits)), weights)
        ranked = numpy.argsort(-weights, kind="stable")
        if limited:
            ranked = ranked[: self.top_k]
        running = numpy.cumsum(weights[ranked])
        enough = self.top_p * running[-1]
        self.margin = min(self.margin, numpy.abs(running - enough).min() / running[-1])
        kept = min(int((running < enough).sum()) + 1, len(ranked))
        return self._draw(ranked[:kept], weights)

    def _draw(self, ids, weights):
        running = numpy.cumsum(weights[ids])
        target = self.random() * running[-1]
        self.margin = min(self.margin, numpy.abs(running - target).min() / running[-1])
        return int(ids[min(int((running <= target).sum()), len(ids) - 1)])


class GpuSampler:
    """One SamplerState and what a call needs beside it."""

    def __init__(self, kernels, temperature, top_k, top_p, seed, candidates=FIRST_UNUSED):
        self.kernels, self.candidates = kernels, candidates
        self.state = kernels.seeded_sampler(temperature, top_k, top_p, seed)
        self.results = torch.full((2, 2), -77, dtype=torch.int32, device="cuda")
        self.next = torch.full((4,), -77, dtype=torch.int32, device="cuda")
        self.next[2] = 100
        self.next[3] = 500
        size = kernels.sample_workspace_bytes(candidates)
        self.workspace = torch.full((size + 64,), 0xA5, dtype=torch.uint8, device="cuda")

    def enqueue(self, logits, /, **overrides):
        params = SampleParams(
            address(logits),
            self.candidates,
            address(self.state),
            address(self.results),
            self.next.data_ptr(),
            self.next.data_ptr() + 8,
            self.next.data_ptr() + 12,
            address(self.workspace),
        )
        for name, value in overrides.items():
            setattr(params, name, value)
        self.kernels.enqueue("sample", params)

    def sample(self, logits):
        """Token and status."""
        self.enqueue(logits)
        torch.cuda.synchronize()
        assert (self.workspace[-64:] == 0xA5).all(), "wrote behind the workspace"
        return self.last_result()

    def last_result(self):
        """Token and status. Results take turns: the parity of the position before the choice."""
        return tuple(self.results[(self.next[2].item() - 1) % 2].tolist())


def model_logits(seed, count=VOCABULARY, spread=3.0):
    """A few likely tokens over a broad bulk; far more likely ids behind those that may be chosen."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, generator=generator) * spread
    logits[torch.randint(0, count, (20,), generator=generator)] += 10
    logits[FIRST_UNUSED:] = 100.0
    return logits


SETTINGS = [
    # temperature, top-k, top-p
    (0.0, 0, 1.0),
    (0.7, 0, 1.0),
    (0.7, 20, 0.8),
    (1.0, 0, 0.95),
    (1.0, 1, 1.0),
    (1.3, 1000, 1.0),
    (2.0, 40, 0.5),
    (5.0, 0, 0.999),
    (0.01, 50, 0.9),
    (1.0, 100000, 0.9),
    (1.0, 200000, 0.9),
    (0.8, 0, 0.0),
]


def compare(kernels, what, logits, settings, seed, steps, candidates=FIRST_UNUSED):
    ours = GpuSampler(kernels, *settings, seed, candidates)
    theirs = Sampler(*settings, seed)
    for step in range(steps):
        values = logits[step % len(logits)]
        token, status = ours.sample(values.cuda())
        expected = theirs.sample(values[:candidates].numpy())
        named = f"{what} {settings}, seed {seed}, step {step}"
        assert status == SAMPLED, f"{named}: status {status}"
        assert token == expected, f"{named}: {token}, not {expected}; margin {theirs.margin:.1e}"
        assert ours.next.tolist() == [token, -77, 101 + step, 501 + step], f"{named}: {ours.next}"


def test_same_tokens_as_the_cpu_backend(kernels):
    logits = [model_logits(seed) for seed in range(4)]
    for settings in SETTINGS:
        for seed in (42, 0.1):
            compare(kernels, "model", logits, settings, seed, 4)


def test_small_vocabularies(kernels):
    for count in (1, 2, 31, 1000):
        logits = [torch.randn(count, generator=torch.Generator().manual_seed(count))]
        for settings in SETTINGS:
            compare(kernels, f"{count} tokens", logits, settings, 7, 6, count)


def test_equal_logits(kernels):
    flat = [torch.full((VOCABULARY,), 1.5)]
    pairs = [torch.arange(VOCABULARY).remainder(3).float()]
    for settings in SETTINGS:
        compare(kernels, "flat", flat, settings, 3, 3)
        compare(kernels, "in threes", pairs, settings, 4, 3)


def test_impossible_tokens(kernels):
    logits = model_logits(9)
    logits[torch.arange(VOCABULARY) % 1000 != 7] = -math.inf
    for settings in SETTINGS:
        compare(kernels, "mostly -inf", [logits], settings, 5, 6)


def test_wide_logits(kernels):
    logits = torch.linspace(-3e38, 3e38, VOCABULARY, dtype=torch.float64).float()
    for settings in SETTINGS:
        compare(kernels, "wide", [logits], settings, 6, 2)


def test_zero_of_either_sign_is_equal(kernels):
    logits = torch.full((64,), -1.0)
    logits[5], logits[9] = -0.0, 0.0
    compare(kernels, "zeros", [logits], (0.0, 0, 1.0), 1, 1, 64)
    compare(kernels, "zeros", [logits], (1.0, 2, 0.9), 1, 20, 64)


def test_unusable_logits_are_reported(kernels):
    for value in (math.nan, math.inf):
        for at in (0, 77777, FIRST_UNUSED - 1):
            logits = model_logits(1)
            logits[at] = value
            logits[FIRST_UNUSED - 1] = value
            for temperature in (0.0, 0.7):
                sampler = GpuSampler(kernels, temperature, 20, 0.8, 1)
                assert sampler.sample(logits.cuda()) == (at, UNUSABLE)
                # The next step may have begun already: it takes the next place, with the token before.
                assert sampler.next.tolist() == [-77, -77, 101, 501]
    sampler = GpuSampler(kernels, 0.7, 20, 0.8, 1)
    nothing = torch.full((VOCABULARY,), -math.inf, device="cuda")
    assert sampler.sample(nothing) == (-1, NONE_FINITE)
    assert sampler.sample(model_logits(1).cuda())[1] == SAMPLED


def test_unused_ids_may_hold_anything(kernels):
    logits = model_logits(2)
    logits[FIRST_UNUSED:] = math.nan
    compare(kernels, "NaN behind", [logits], (0.7, 20, 0.8), 2, 4)


def test_replays_of_one_graph_go_on(kernels):
    settings = (0.9, 50, 0.95)
    logits = model_logits(11)
    on_gpu = logits.cuda()
    warm = GpuSampler(kernels, *settings, 12)
    warm.sample(on_gpu)
    for _ in range(2):
        ours, theirs = GpuSampler(kernels, *settings, 12), Sampler(*settings, 12)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            ours.enqueue(on_gpu)
        for step in range(20):
            graph.replay()
            torch.cuda.synchronize()
            expected = theirs.sample(logits[:FIRST_UNUSED].numpy())
            assert ours.last_result() == (expected, SAMPLED), f"step {step}"
            assert ours.next.tolist() == [expected, -77, 101 + step, 501 + step]


def test_a_choice_taken_back_is_made_again(kernels):
    settings = (0.9, 50, 0.95)
    logits = model_logits(11).cuda()
    sampler = GpuSampler(kernels, *settings, 12)
    sampler.sample(logits)
    chosen = [sampler.sample(logits) for _ in range(3)]
    for _ in range(2):
        offset = SamplerState.random_before.offset
        size = SamplerState.random_before.size
        before = sampler.state.view(torch.uint8)[offset : offset + size].clone()
        sampler.state.view(torch.uint8)[SamplerState.random.offset :][:size] = before
        assert sampler.sample(logits) == chosen[-1]


def test_result_in_pinned_memory(kernels):
    sampler = GpuSampler(kernels, 0.0, 0, 1.0, 1)
    pinned = torch.full((2,), -77, dtype=torch.int32).pin_memory()
    logits = model_logits(3)
    alone = {"next_token": None, "next_position": None, "next_kv_len": None}
    sampler.enqueue(logits.cuda(), result=pinned.data_ptr(), **alone)
    torch.cuda.synchronize()
    assert pinned.tolist() == [int(logits[:FIRST_UNUSED].argmax()), SAMPLED]
    assert sampler.next.tolist() == [-77, -77, 100, 500]


def test_the_state_is_as_long_as_here(kernels):
    state = kernels.seeded_sampler(0.5, 3, 0.25, 42)
    fields = SamplerState.from_buffer_copy(bytes(state.cpu().numpy()))
    assert (fields.temperature, fields.top_k, fields.top_p) == (0.5, 3, 0.25)
    assert list(fields.random) == Random(42).state
    random = Random(42)
    assert [random(), random()] == [0.8361799405747219, 0.80589829654287]


def test_bad_input_is_refused(kernels):
    logits = model_logits(1).cuda()
    sampler = GpuSampler(kernels, 0.7, 20, 0.8, 1)
    cases = {
        "0 candidates": {"candidates": 0},
        "524289 candidates": {"candidates": 524289},
        "logits is null": {"logits": None},
        "state is null": {"state": None},
        "result is not aligned": {"result": sampler.results.data_ptr() + 2},
        "workspace is not aligned": {"workspace": sampler.workspace.data_ptr() + 8},
    }
    for expected, overrides in cases.items():
        try:
            sampler.enqueue(logits, **overrides)
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    return run_suites([(globals(), "sampling", lambda: nullcontext(OpsKernels(library)))], only)


if __name__ == "__main__":
    main(run_all, __doc__)
