"""Python's own library, rewritten, passes its own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).with_name("library.py")


@pytest.mark.slow
def test_library():
    pytest.importorskip("test.test_textwrap", reason="Python without its tests")
    # Warnings are the library's own.
    command = [sys.executable, "-W", "ignore", str(LIBRARY)]
    done = subprocess.run(command, capture_output=True, text=True)
    rewritten, run, failures, errors = map(int, done.stdout.split()[-4:])
    assert not failures and not errors, done.stderr[-3000:]
    assert rewritten > 250 and run > 3000
