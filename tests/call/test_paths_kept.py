"""Which paths of a function are kept, and that they serve their arguments after a refusal."""

import warnings

import numpy as np

import tracejit

X = np.ones(3)


def test_the_path_that_is_not_used_goes_first(monkeypatch):
    monkeypatch.setattr("tracejit.call.paths.MOST", 8)
    g = tracejit.function(lambda x, name: x * len(name))
    with tracejit.config(compile=False):
        g(X, "often")
        for k in range(29):
            g(X, str(k))
            g(X, "often")
    assert g.stats.traces == 30 and len(g._paths) == 8


def test_a_call_that_a_path_takes_is_no_fallback():
    g = tracejit.function(lambda x, t: (x, f"{t}"), on_unsupported="warn")
    with tracejit.config(compile=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in (0.5, 1.5, 2.5, 3.5, 4.5):
            g(X, t)
        before = g.stats.fallbacks
        for t in (0.5, 1.5, 0.5):
            assert g(X, t)[1] == str(t)
        assert before and g.stats.fallbacks == before
        g(X, 9.5)
        assert g.stats.fallbacks == before + 1
