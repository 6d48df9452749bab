"""Fetches the published sparse prefill kernels that SampleAttention is measured beside, and builds them.

    python3 bench/quality/peers/fetch.py --out out/bench/peers --torch DIR [--from NAME=GIT_DIR ...]

Each comes from its public repository at a pinned commit. Nothing of them is part of Longview or ever committed
to it. --from takes a repository from a clone on this machine instead. FlashPrefill V2 and MInference's index
are compiled for sm_90a with nvcc (CUDA 13) on PATH, which takes minutes and no GPU; --torch is the folder of an
installed torch 2.9 or later. What was built before stays.
"""

import argparse
import subprocess
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Repository:
    url: str
    commit: str
    folders: tuple  # what of it is used


REPOSITORIES = {
    "minference": Repository(
        "https://github.com/microsoft/MInference.git",
        "fb56c917f618e8645f1cfc37535afd7424d78f0d",
        ("minference/ops", "minference/modules", "csrc"),
    ),
    "flexprefill": Repository(
        "https://github.com/ByteDance-Seed/FlexPrefill.git",
        "a24b27bf117fd6ad4ba34b0db82c598e7786fd59",
        ("flex_prefill/ops",),
    ),
    "flashprefill": Repository(
        "https://github.com/qhfan/FlashPrefill.git",
        "74e42f3d4f636b4f0744c6ffbb7768d35bb0d10e",
        ("ops",),
    ),
    "flashprefill2": Repository(
        "https://github.com/qhfan/FlashPrefillv2.git",
        "0f8e791f6ed91d9fd8f15e8a19a78c779183a20c",
        ("flashprefill_ops", "csrc/cutlass/include"),
    ),
}

SM90A = ["-gencode", "arch=compute_90a,code=sm_90a", "-Xcompiler", "-fPIC"]

# As its own install_ops.sh sets them, and bf16 at head dim 128 alone.
FLASHPREFILL2_WITHOUT = (
    "BACKWARD SPLIT APPENDKV LOCAL SOFTCAP FP16 FP8 HDIM64 HDIM96 HDIM192 HDIM256 SM8x HDIMDIFF64 HDIMDIFF192"
).split()
FLASHPREFILL2_KERNELS = [
    "instantiations/flash_fwd_hdim128_bf16_packgqa_sm90.cu",
    "instantiations/flash_fwd_hdim128_bf16_paged_sm90.cu",
    "instantiations/flash_fwd_hdim128_bf16_sm90.cu",
    "flash_prepare_scheduler.cu",
]
FLASHPREFILL2_FLAGS = (
    "-O3 -std=c++17 -DPy_LIMITED_API=0x03090000 -DTORCH_TARGET_VERSION=0x0209000000000000 "
    "-DTORCH_EXTENSION_NAME=_C -DUSE_CUDA"
).split()
FLASHPREFILL2_NVCC_FLAGS = (
    "--use_fast_math -DCUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED -DCUTLASS_ENABLE_GDC_FOR_SM90 "
    "-DCUTLASS_DEBUG_TRACE_LEVEL=0 -DNDEBUG --expt-relaxed-constexpr --expt-extended-lambda"
).split()

# The host function that calls MInference's kernel takes torch tensors; this one takes their addresses.
MINFERENCE_INDEX_ENTRY = """
extern "C" void convert_indexes(const int* seqlens, const int* vertical, const int* slash,
                                int* block_count, int* block_offset, int* column_count,
                                int* column_index, int batch, int heads, int rows, int nnz_v,
                                int nnz_s) {
  convert_vertical_slash_indexes_64x64(seqlens, vertical, slash, block_count, block_offset,
                                       column_count, column_index, batch, heads, rows, nnz_v, nnz_s);
}
"""


def run(*command, cwd=None):
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def check_out(repository, folder, clone):
    """Puts the used folders of the pinned commit into `folder`."""
    if folder.exists():
        return
    if clone is None:
        clone = folder.with_suffix(".git")
        run("git", "init", "--quiet", "--bare", clone)
        run("git", "fetch", "--quiet", "--depth", "1", repository.url, repository.commit, cwd=clone)
    archive = folder.with_suffix(".tar")
    run("git", "archive", "--output", archive.resolve(), repository.commit, *repository.folders, cwd=clone)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    archive.unlink()


def build_minference(folder):
    library = folder / "libindex.so"
    if library.exists():
        return
    source = (folder / "csrc/vertical_slash_index.cu").read_text()
    kernel = source[: source.index("std::vector<at::Tensor> convert_vertical_slash_indexes(")]
    lines = [line for line in kernel.splitlines() if "pybind11" not in line and "torch/" not in line]
    plain = folder / "index.cu"
    plain.write_text("\n".join(lines) + MINFERENCE_INDEX_ENTRY)
    run("nvcc", "-O3", "-shared", *SM90A, plain, "-o", library)


def build_flashprefill2(folder, torch):
    """Its extension, beside its Python files: <folder>/package is what belongs on PYTHONPATH."""
    sources, package = folder / "flashprefill_ops", folder / "package"
    extension = package / "flashprefill" / "_C.abi3.so"
    if extension.exists():
        return
    includes = [
        ".",
        "../csrc/cutlass/include",
        torch / "include",
        torch / "include/torch/csrc/api/include",
        sysconfig.get_paths()["include"],
        "/usr/local/cuda/include",
        "/usr/local/cuda/include/cccl",
    ]
    flags = [f"-DFLASHATTENTION_DISABLE_{part}" for part in FLASHPREFILL2_WITHOUT]
    flags += FLASHPREFILL2_FLAGS + [f"-I{include}" for include in includes]
    compilers = {kernel: ["nvcc", *FLASHPREFILL2_NVCC_FLAGS, *SM90A] for kernel in FLASHPREFILL2_KERNELS}
    compilers["flash_api_stable.cpp"] = ["g++", "-fPIC"]
    objects = []
    for source, compiler in compilers.items():
        objects.append(Path(source).with_suffix(".o").name)
        if not (sources / objects[-1]).exists():
            run(*compiler, *flags, "-c", source, "-o", "unfinished.o", cwd=sources)
            (sources / "unfinished.o").rename(sources / objects[-1])
    (package / "flashprefill").mkdir(parents=True, exist_ok=True)
    for file in (sources / "flashprefill").glob("*.py"):
        (package / "flashprefill" / file.name).write_bytes(file.read_bytes())
    index = "flash_block_sparse_index_triton.py"
    (package / index).write_bytes((sources / index).read_bytes())
    libraries = ["-ltorch", "-ltorch_cpu", "-ltorch_cuda", "-lc10", "-lcudart_static", "-lrt", "-ldl"]
    folders = [f"-L{torch}/lib", "-L/usr/local/cuda/lib64"]
    run("g++", "-shared", *objects, *folders, *libraries, "-o", extension.resolve(), cwd=sources)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/bench/peers"))
    parser.add_argument("--torch", type=Path, required=True)
    parser.add_argument("--from", dest="clones", action="append", default=[], metavar="NAME=GIT_DIR")
    options = parser.parse_args()
    clones = dict(clone.split("=", 1) for clone in options.clones)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, repository in REPOSITORIES.items():
        check_out(repository, options.out / name, clones.get(name))
        print(f"{name}: {repository.commit}")
    build_minference(options.out / "minference")
    build_flashprefill2(options.out / "flashprefill2", options.torch.resolve())


if __name__ == "__main__":
    main()
