"""The tests that compare values, on each device: on a GPU where there is one, by `-m cuda`.

In the folders of `FOLDERS` tests run programs and compare what these give, which is the same on any
device. What only a CPU's programs have (text, what shares memory, threads), tests there assert
`if on_cpu()`, or say `pytest.mark.cpu`, of one or of a module (`pytestmark`). All others are
collected once more for "cuda" where there is a GPU, and not at all where there is none.
`--device fake` collects them, and nothing else, for a driver over the host's memory
(`cuda/fake.py`); those of `FAST` are always collected for it.

Results are downloaded: what holds them is tested in `cuda/test_device_arrays.py`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
#: The folders of tests that compare values.
FOLDERS = ("arrays", "call", "programs", "symbolic", "tensor", "transform")
#: Modules whose tests take little time there.
FAST = ("arrays/test_grids.py", "arrays/test_axes_and_modes.py")
#: What is told where a program is none for a GPU.
_REFUSED = re.compile(r"there is no kernel for .* on a GPU|nothing interprets a graph")
#: What programs run on, by what `--device` names.
_NAMES = {"cuda": "downloaded cuda", "fake": "downloaded fake"}


def on_cpu() -> bool:
    """Whether programs are a CPU's, so that a test may ask for their text and memory."""
    from tracejit.config import config

    return config.device == "cpu"


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        choices=("cpu", *_NAMES),
        help="run the tests that compare values, and nothing else, on this device",
    )


@functools.cache
def has_gpu() -> bool:
    """Whether there is a GPU that programs may run on."""
    from tracejit.errors import DeviceError
    from tracejit.lower import registry

    try:
        return registry.target("cuda").residence is not None
    except DeviceError:
        return False


def has_compiler() -> bool:
    """Whether there is what makes code for a GPU."""
    try:
        return find_spec("cuda.bindings") is not None
    except ModuleNotFoundError:
        return False


def chosen_devices(config: pytest.Config, place: Path) -> list[str]:
    """The devices on which a module compares values."""
    chosen = config.getoption("--device")
    if chosen is not None:
        return [chosen]
    fake = ["fake"] if str(place) in FAST and has_compiler() else []
    return ["cpu", *(["cuda"] if has_gpu() else []), *fake]


def place_of(item: Any) -> Path | None:
    """Where a module of tests that compare values lies; None for others."""
    path = Path(item.module.__file__)
    place = path.relative_to(HERE) if path.is_relative_to(HERE) else Path()
    return place if place.parts[:-1] and place.parts[0] in FOLDERS else None


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Collect a test for each device."""
    place = place_of(metafunc)
    if place is None or metafunc.definition.get_closest_marker("cpu"):
        return
    found = chosen_devices(metafunc.config, place)
    if found == ["cpu"]:
        return
    marks = {"cuda": [pytest.mark.cuda]}
    params = [pytest.param(name, marks=marks.get(name, ()), id=name) for name in found]
    metafunc.parametrize("on_device_of", params, indirect=True)


def device_of(item: Any) -> str:
    """The device on which a test runs."""
    return item.callspec.params.get("on_device_of", "cpu") if hasattr(item, "callspec") else "cpu"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What has no kernel is refused by name, and what is interpreted by reason: no fault."""
    try:
        return (yield)
    except Exception as error:
        found = _REFUSED.search(str(error))
        if found is None or device_of(item) == "cpu":
            raise
    pytest.skip(found[0])


def keep_chosen(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--device` does not name."""
    chosen = config.getoption("--device")
    if chosen is None or chosen == "cpu":
        return
    kept = [item for item in items if device_of(item) == chosen]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


@pytest.fixture(autouse=True)
def on_device_of(request: pytest.FixtureRequest) -> Iterator[None]:
    """Functions that name no device run on this one."""
    name = getattr(request, "param", "cpu")
    if name == "cpu":
        yield
        return
    from tracejit.theano.flags import change_flags

    _register(name)
    with change_flags(device=_NAMES[name]):
        yield


@functools.cache
def _register(name: str) -> None:
    """Let a device be known whose results are downloaded."""
    from tracejit.cuda.device.memory import fetched, owner_of
    from tracejit.cuda.target import CUDA
    from tracejit.lower import registry

    driver: Any
    if name == "cuda":
        driver = registry.target("cuda").link.driver  # type: ignore[attr-defined]
    else:
        from fake import FakeDriver

        driver = FakeDriver(memory=1 << 33)
    made = CUDA(driver, _NAMES[name])
    home = made.home

    def downloaded(array: np.ndarray) -> Any:
        return array if owner_of(array) is None else fetched(array, driver)

    _keep_states()
    home.made_state = home.made  # type: ignore[attr-defined]
    home.made = home.wrap = downloaded  # type: ignore[method-assign]
    home.scalar = lambda array: downloaded(array).reshape(())[()]  # type: ignore[method-assign]
    plainly = home.plainly
    home.plainly = lambda *given: everything_downloaded(plainly(*given))  # type: ignore[method-assign]
    registry.register(_NAMES[name], lambda: made)


@functools.cache
def _keep_states() -> None:
    """States stay on their device: what makes results of shadows is for results only."""
    from tracejit.lower.driver import OURS
    from tracejit.lower.resident import ResidentDriver

    begin, shown = ResidentDriver.__init__, ResidentDriver.stored

    def init(self: Any, graph: Any, inputs: Any, residence: Any, hosts: Any) -> None:
        begin(self, graph, inputs, residence, hosts)
        self.namespace[f"{OURS}state"] = getattr(residence, "made_state", residence.made)

    def stored(self: Any, text: str, on_device: bool, name: str) -> str:
        return shown(self, text, on_device, name).replace(f"{OURS}made(", f"{OURS}state(")

    ResidentDriver.__init__ = init  # type: ignore[method-assign]
    ResidentDriver.stored = stored  # type: ignore[method-assign]


def everything_downloaded(value: Any) -> Any:
    """A result with arrays of NumPy's in the place of those on a device."""
    if hasattr(type(value), "__tracejit_device__"):
        found = value.get()
        return found if found.ndim else found[()]
    if type(value) in (tuple, list):
        return type(value)(map(everything_downloaded, value))
    if type(value) is dict:
        return {k: everything_downloaded(v) for k, v in value.items()}
    return value
