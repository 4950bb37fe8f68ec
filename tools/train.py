"""The original's command: python tools/train.py CONFIG [KEY.SUB=VALUE ...]; see `spatialflow train -h`."""

import sys

from spatialflow.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
