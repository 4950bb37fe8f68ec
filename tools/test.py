"""The original's command: python tools/test.py CONFIG CHECKPOINT --out F --eval panoptic [KEY.SUB=VALUE ...].

The same as `spatialflow evaluate CONFIG --checkpoint CHECKPOINT --out F`. F is a folder; of a name such as
results.pkl only the stem is taken.
"""

import argparse
import sys
from pathlib import Path

from spatialflow.cli import main
from spatialflow.cli.commands import METRICS


def parse(arguments: list[str]) -> list[str]:
    """The original's arguments as those of `spatialflow`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", help="a recipe's name or path, or the original's path of it")
    parser.add_argument("checkpoint")
    parser.add_argument("--out", type=Path, help="folder for the result")
    parser.add_argument("--eval", nargs="+", choices=METRICS, default=["panoptic"])
    known, overrides = parser.parse_known_args(arguments)
    out = [] if known.out is None else ["--out", str(known.out.with_suffix(""))]
    given = [known.config, "--checkpoint", known.checkpoint, *out, "--metrics", *known.eval]
    return ["evaluate", *given, *overrides]


if __name__ == "__main__":
    main(parse(sys.argv[1:]))
