"""What every test shares: strictness, a private cache, Hypothesis profiles, golden files."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import devices
import pytest
from devices import on_device_of, pytest_runtest_call  # noqa: F401
from hypothesis import HealthCheck, settings

# Falling back to NumPy is always right, so a test that allows it can pass with nothing compiled.
# Tests about falling back ask for it: on_unsupported="warn".
os.environ["TRACEJIT_ON_UNSUPPORTED"] = "error"
# The settings of a developer's shell are no part of what is tested.
for _name in ("TRACEJIT_DEBUG", "TRACEJIT_COMPILE", "TRACEJIT_THREADS", "TRACEJIT_CACHE"):
    os.environ.pop(_name, None)
# Compiled programs go to a directory that ends with the run. Subprocesses inherit it, and so do
# the workers of a run on several cores: what one compiled the others load.
_cache: tempfile.TemporaryDirectory[str] | None = None
if "PYTEST_XDIST_WORKER" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="tracejit-tests-", ignore_cleanup_errors=True)
    os.environ["XDG_CACHE_HOME"] = _cache.name

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    max_examples=1_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("TRACEJIT_TEST_PROFILE") or os.environ.get("HYPOTHESIS_PROFILE") or "ci"
)

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    devices.add_option(parser)
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files from what the tests see, instead of comparing",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    devices.parametrize(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    devices.keep_chosen(config, items)


def pytest_unconfigure() -> None:
    if _cache is not None:
        _cache.cleanup()


@pytest.fixture(autouse=True, scope="module")
def short_collections() -> None:
    """A garbage collection looks at what a module's tests have made: at gigabytes it takes 1 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], None]]:
    """``golden(name, text)``: ``text`` must be that of ``tests/golden/<name>``."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; pytest --update-golden writes it"
        assert text == path.read_text(encoding="utf-8")

    yield check
