"""Measures one row and prints it as JSON: the process that the driver starts for each row."""

from __future__ import annotations

import json
import sys

from benchmarks.rows import BY_NAME

if __name__ == "__main__":
    print(json.dumps(BY_NAME[sys.argv[1]].measure().as_dict()))
