"""``python -m tools.replay record FOLDER -- COMMAND`` and ``… compare OLD NEW``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tools.replay.compare import compared, read

HERE = Path(__file__).resolve().parent


def record(folder: Path, command: list[str]) -> int:
    """Run `command` with every program that it compiles written into the new `folder`."""
    folder.mkdir(parents=True)
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "TRACEJIT_REPLAY": str(folder.resolve()),
        "TRACEJIT_REPLAY_TOOLS": str(HERE.parent.parent),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    return subprocess.run(command, env=environment).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.replay", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record", help="run a command and keep what it compiles")
    recording.add_argument("folder", type=Path, help="a new folder for the records")
    recording.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command to run")
    comparing = actions.add_parser("compare", help="what differs between two recordings")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    comparing.add_argument("--again", type=Path, help="a second recording of the old version")
    comparing.add_argument("--most", type=int, default=10, help="differences shown in full")
    asked = parser.parse_args()
    if asked.action == "record":
        command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
        if not command:
            recording.error("there is no command to run")
        if asked.folder.exists():
            recording.error(f"{asked.folder} exists")
        return record(asked.folder, command)
    again = read(asked.again) if asked.again else None
    report = compared(read(asked.old), read(asked.new), again)
    print(report.text(asked.most))
    return 1 if report.differs else 0


if __name__ == "__main__":
    sys.exit(main())
