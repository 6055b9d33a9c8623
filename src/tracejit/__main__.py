"""Command line: ``python -m tracejit``: ``info``, ``demo``, ``run`` and ``theano``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

# What the emitted code is vectorised for (x86-64), or finds always present (aarch64).
FEATURES = ("avx2", "avx512f", "f16c", "fma")
PACKAGES = ("tracejit", "numpy", "scipy", "numba", "llvmlite")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def processor_name() -> str:
    """The processor's name as its maker prints it, or the best the platform knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _features() -> str:
    from llvmlite import binding

    present = binding.get_host_cpu_features()
    return "  ".join(f"{name} {'yes' if present.get(name) else 'no'}" for name in FEATURES)


def _threads() -> str:
    import tracejit

    if tracejit.config.threads:
        return str(tracejit.config.threads)
    available = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return f"{available} (all available; TRACEJIT_THREADS sets it)"


def _cache_place() -> str:
    import tracejit
    from tracejit.lower.cache import cache_dir

    place = cache_dir()
    if place is None:
        return "none (no usable directory)"
    return str(place) if tracejit.config.cache else f"{place} (off)"


def info_rows() -> list[tuple[str, str]]:
    """What a bug report needs, as (label, text) pairs."""
    from tracejit.cuda import report

    system = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    versions = [(package, _version(package)) for package in PACKAGES]
    return [
        *versions[:1],
        ("python", system),
        *versions[1:],
        ("processor", processor_name()),
        ("features", _features()),
        ("threads", _threads()),
        ("cache", _cache_place()),
        *report.rows(),
    ]


def info() -> int:
    for label, text in info_rows():
        print(f"{label:<10} {text}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tracejit", description="NumPy code in, fused machine code out."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("info", help="print versions, processor features, cache place, GPUs")
    theano = commands.add_parser(
        "theano", help="run a Theano script as it is", description="Run a Theano script as it is."
    )
    theano.add_argument("script", help="path of the script")
    theano.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    run = commands.add_parser(
        "run",
        help="run a script as it is, with functions compiled",
        description="Run a script plain and compiled, and print how they compare.",
    )
    run.add_argument(
        "--functions",
        default="",
        metavar="NAMES",
        help="functions to compile, by commas: name, Class.method or module:name",
    )
    run.add_argument(
        "--auto", action="store_true", help="compile the functions that take the time (default)"
    )
    run.add_argument("script", help="path of the script")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    demo = commands.add_parser("demo", help="train a model, run five jobs on real data, simulate")
    demo.add_argument(
        "--options",
        type=_positive,
        default=1_000_000,
        metavar="N",
        help="number of options that the Black-Scholes job prices (default: %(default)s)",
    )
    demo.add_argument(
        "--repeat",
        type=_positive,
        default=7,
        metavar="N",
        help="timed calls of each job, of which the median is shown (default: %(default)s)",
    )
    demo.add_argument(
        "--steps",
        type=_positive,
        default=1_500,
        metavar="N",
        help="steps of gradient descent that a model is trained by (default: %(default)s)",
    )
    demo.add_argument(
        "--plot",
        type=Path,
        default=Path("loss_curve.png"),
        metavar="PATH",
        help="where the picture of the losses goes (default: %(default)s)",
    )
    demo.add_argument(
        "--size",
        type=_positive,
        default=256,
        metavar="N",
        help="points along each side of the simulation (default: %(default)s)",
    )
    demo.add_argument(
        "--picture",
        type=Path,
        default=Path("reaction_diffusion.png"),
        metavar="PATH",
        help="where the picture of the simulation goes (default: %(default)s)",
    )
    demo.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="where it runs: cpu, cuda, or cuda:1 and so on (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if arguments.command == "info":
        return info()
    if arguments.command == "theano":
        from tracejit.theano.names import run_script

        run_script(arguments.script, arguments.arguments)
        return 0
    if arguments.command == "run":
        from tracejit.script.running import run_script as run_plain_and_compiled

        functions = [name for name in arguments.functions.split(",") if name]
        auto = arguments.auto or not functions
        return run_plain_and_compiled(arguments.script, arguments.arguments, functions, auto)
    from tracejit import demo as demo_module

    a = arguments
    return demo_module.run(a.options, a.repeat, a.steps, a.plot, a.size, a.picture, a.device)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
