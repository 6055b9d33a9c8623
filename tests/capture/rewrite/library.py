"""``python library.py``: rewrite modules of Python's own library, and run the tests that it has."""

import importlib
import io
import sys
import types
import unittest

from tracejit.capture.rewrite.function import rewrite

MODULES = """
    textwrap statistics fractions difflib configparser argparse heapq bisect csv json.decoder
    json.encoder json.scanner string calendar shlex pprint html.parser colorsys urllib.parse
    optparse
"""
TESTS = """
    test_textwrap test_statistics test_fractions test_difflib test_configparser test_heapq
    test_bisect test_csv test_string test_calendar test_shlex test_pprint test_htmlparser
    test_colorsys test_urlparse test_optparse test_json test_argparse
"""


def rewritten_in(owner, module):
    """How many functions of a module, or of a class of it, are rewritten now."""
    count, here = 0, sys.modules[module]
    for name, value in list(vars(owner).items()):
        method = isinstance(value, (staticmethod, classmethod))
        f = value.__func__ if method else value
        if isinstance(f, types.FunctionType) and f.__module__ == module:
            new = rewrite(f)
            if new is not f:
                setattr(owner, name, type(value)(new) if method else new)
                count += 1
        elif isinstance(value, type) and value.__module__ == module and owner is here:
            count += rewritten_in(value, module)
    return count


def main():
    count = sum(rewritten_in(importlib.import_module(name), name) for name in MODULES.split())
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"test.{t}" for t in TESTS.split()])
    report = io.StringIO()
    result = unittest.TextTestRunner(stream=report, verbosity=0).run(suite)
    print(report.getvalue(), file=sys.stderr)
    print(count, result.testsRun, len(result.failures), len(result.errors))


if __name__ == "__main__":
    main()
