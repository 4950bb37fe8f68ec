"""A drawn photo to measure with, where none is given."""

from pathlib import Path

from spatialflow.data.synthetic import generate


def draw_photo(folder: Path, size: tuple[int, int]) -> Path:
    """A JPEG of the demo's kind, (H, W) pixels; the same at each call."""
    name = f"{size[0]}x{size[1]}"
    generate(folder, 1, 0, name, size, workers=1)
    return folder / name / "000001.jpg"
