"""The pass that lets a kernel take back what it has written, on kernels of a few statements."""

from __future__ import annotations

import numpy as np
import pytest
from handwritten import parsed
from reference.functions import FUNCTIONS

from tracejit.lower.kernel.interpret import run
from tracejit.lower.kernel.statements import Kernel
from tracejit.lower.kernel.text import Text
from tracejit.lower.kernel.undo import with_undo
from tracejit.lower.kernel.verify import verify

#: The body of a kernel of `x0` and `b0`, what it becomes, and the code that it returns.
KERNELS = {
    "a store": (
        """
    u0 = undo_log(x0, 3)
    x0[1] = 7.0
    b0[0] = 1.0
    if b0[0] > 0.5:
        return 2
""",
        """
u0 = undo_log(x0, 3)
n0 = undo_notes(u0)
if n0:
    undo_note_1(u0, x0, x0, 1)
x0[1] = 7.0
b0[0] = 1.0
if b0[0] > 0.5:
    undo(u0, x0)
    return 2
return 0
""",
        2,
    ),
    "what leaves before the log is open": (
        """
    if x0.shape[0] == 99:
        return 1
    u0 = undo_log(x0, 3)
    x0[0] = x0[1]
""",
        """
if x0.shape[0] == 99:
    return 1
u0 = undo_log(x0, 3)
n0 = undo_notes(u0)
if n0:
    undo_note_1(u0, x0, x0, 0)
x0[0] = x0[1]
return 0
""",
        0,
    ),
    "a loop, and a view": (
        """
    u0 = undo_log(x0, 3)
    x0_flat = flat(x0)
    for i0 in range(x0.shape[0]):
        x0[0] = x0_flat[i0] + 1.0
        x0_flat[i0] = x0[0]
        if i0 == 2:
            return 3
""",
        """
u0 = undo_log(x0, 3)
n0 = undo_notes(u0)
x0_flat = flat(x0)
for i0 in range(x0.shape[0]):
    if n0:
        undo_note_1(u0, x0, x0, 0)
    x0[0] = x0_flat[i0] + 1.0
    if n0:
        undo_note_1(u0, x0, x0_flat, i0)
    x0_flat[i0] = x0[0]
    if i0 == 2:
        undo(u0, x0)
        return 3
return 0
""",
        3,
    ),
    "two sides, in an endless loop": (
        """
    u0 = undo_log(x0, 3)
    while True:
        if x0[0] > 3.0:
            return 2
        else:
            x0[0] = x0[0] + 1.0
""",
        """
u0 = undo_log(x0, 3)
n0 = undo_notes(u0)
while True:
    if x0[0] > 3.0:
        undo(u0, x0)
        return 2
    else:
        if n0:
            undo_note_1(u0, x0, x0, 0)
        x0[0] = x0[0] + 1.0
return 0
""",
        2,
    ),
}


def parsed_body(text: str) -> Kernel:
    """The kernel of `x0` and `b0` that has this body, and then returns 0."""
    end = "" if text.rstrip().splitlines()[-1] == "    return 2" else "    return 0\n"
    return parsed(f"def entry(x0, b0):\n{text}{end}")


def body_of(k: Kernel) -> str:
    text = Text()
    text.block(k.body)
    return "\n".join(line.removeprefix("    ").rstrip() for line in text.lines)


@pytest.mark.parametrize("name", KERNELS)
def test_text(name: str) -> None:
    given, wanted, _ = KERNELS[name]
    made = with_undo(parsed_body(given))
    verify(made)
    assert body_of(made).strip() == wanted.strip()


@pytest.mark.parametrize("name", KERNELS)
def test_the_array_is_as_it_was_where_the_code_is_another(name: str) -> None:
    given, _, code = KERNELS[name]
    x, b = np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4)
    assert run(with_undo(parsed_body(given)), [x, b], FUNCTIONS) == code
    plain, other = np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4)
    assert run(parsed_body(given), [plain, other], FUNCTIONS) == code
    if code:
        np.testing.assert_array_equal(x, [1.0, 2.0, 3.0, 4.0])
        assert not np.array_equal(plain, x)  # as it would be without
    else:
        np.testing.assert_array_equal(x, plain)
    np.testing.assert_array_equal(b, other)  # which has no log


def test_of_a_place_that_is_written_twice_the_first_value_comes_back() -> None:
    text = "    u0 = undo_log(x0, 3)\n" + "".join(f"    x0[2] = {v}.0\n" for v in range(5))
    x = np.array([1.0, 2.0, 3.0])
    run(with_undo(parsed_body(text + "    return 2\n")), [x, np.zeros(3)], FUNCTIONS)
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])
