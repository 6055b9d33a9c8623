"""Python imports this at its start, in every process of a recorded run: see `hook`."""

import os
import sys

if os.environ.get("TRACEJIT_REPLAY"):
    sys.path.insert(0, os.environ["TRACEJIT_REPLAY_TOOLS"])
    from tools.replay import hook

    sys.path.pop(0)
    hook.install(os.environ["TRACEJIT_REPLAY"])
