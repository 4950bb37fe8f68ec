"""See that a built wheel holds every file git has under src/spatialflow, and nothing else.

Usage: python .ci/wheel_contents.py DIST, where DIST holds one wheel. Run from the root of the checkout.
Recipes, category lists and trained weights are read from the installed package, so one left out would
only be missed by a user: `.gitignore` patterns, which the builder obeys, have done that to many packages.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

REQUIRED = (
    "spatialflow/py.typed",
    "spatialflow/coco_panoptic.json",
    "spatialflow/configs/spatialflow_r50_fpn_20e_coco.yaml",
    "spatialflow/configs/spatialflow_tiny.yaml",
    "spatialflow/weights/tiny.safetensors",
)
REQUIRED_METADATA = ("METADATA", "entry_points.txt", "licenses/LICENSE")


def tracked_files() -> set[str]:
    """Return the paths, relative to src/, of all files of the package that git tracks and that exist."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "src/spatialflow"], check=True, capture_output=True, text=True
    ).stdout
    paths = (Path(name) for name in listing.split("\0") if name)
    return {path.relative_to("src").as_posix() for path in paths if path.exists()}


def problems(wheel: Path) -> list[str]:
    """Return one line for each file that the wheel lacks or has too many."""
    members = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    packaged = {name for name in members if ".dist-info/" not in name}
    metadata = {name.partition(".dist-info/")[2] for name in members - packaged}
    tracked = tracked_files()
    found = [f"missing, though git has it: {name}" for name in sorted(tracked - packaged)]
    found += [f"in the wheel, though git has not got it: {name}" for name in sorted(packaged - tracked)]
    found += [f"missing, and the package needs it: {name}" for name in REQUIRED if name not in packaged]
    found += [f"missing from the metadata: {name}" for name in REQUIRED_METADATA if name not in metadata]
    return found


def main(dist: str) -> int:
    """Check the one wheel in `dist`; return 1 where something is wrong with it."""
    wheels = list(Path(dist).glob("*.whl"))
    if len(wheels) != 1:
        print(f"{dist}: expected one wheel, found {len(wheels)}; run make wheel", file=sys.stderr)
        return 1
    found = problems(wheels[0])
    for line in found:
        print(f"{wheels[0].name}: {line}", file=sys.stderr)
    if not found:
        size = wheels[0].stat().st_size / 2**20
        print(f"{wheels[0].name}: {len(tracked_files())} files of the package, {size:.1f} MiB, all there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
