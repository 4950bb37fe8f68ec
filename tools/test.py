"""The original's command: python tools/test.py CONFIG CHECKPOINT --out F --eval panoptic bbox segm.

The same as `spatialflow evaluate CONFIG --checkpoint CHECKPOINT --out F --metrics ...`; KEY.SUB=VALUE
changes the recipe, and all other options are those of `spatialflow evaluate`. F is a folder; of results.pkl,
as the original wants it, the folder is results.
"""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from spatialflow.cli import main


class _Parser(argparse.ArgumentParser):
    """Tells mistakes as `spatialflow` does, in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with it."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parse(arguments: list[str]) -> list[str]:
    """The original's arguments as those of `spatialflow`."""
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a recipe's name or path, or the original's path of it")
    parser.add_argument("checkpoint", help="an original .pth, or one of ours")
    parser.add_argument("--out", type=Path, help="folder for the result")
    parser.add_argument("--eval", nargs="+", default=["panoptic"], choices=("panoptic", "bbox", "segm"))
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    known, others = parser.parse_known_args([word for word in arguments if word not in overrides])
    out = known.out
    if out is not None and out.suffix in (".pkl", ".pickle", ".json"):
        out = out.with_suffix("")
    given = [known.config, "--checkpoint", known.checkpoint, "--metrics", ",".join(known.eval)]
    return ["evaluate", *given, *([] if out is None else ["--out", str(out)]), *overrides, *others]


if __name__ == "__main__":
    main(parse(sys.argv[1:]))
