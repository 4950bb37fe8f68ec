"""Draws examples/desk, the small data set of the guide: photos of a desk, and labelme files of what is on it.

    python examples/make_desk.py

Mugs and plates are things, wall and table stuff. The labelme files are what an annotator would have left:
polygons in the order of drawing, so that later ones cover earlier ones (`--overlap order`).
"""

import io
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (320, 240)
PHOTOS = 16
FINER = 4
"""Drawn this much larger and scaled down, for smooth edges."""
Point = tuple[float, float]
Shape = tuple[str, list[Point], tuple[int, int, int]]
FOLDER = Path(__file__).parent / "desk"


def main() -> None:
    for number in range(PHOTOS):
        rng = np.random.default_rng(number)
        shapes = scene(rng)
        name = f"desk_{number:02d}"
        draw(shapes, rng).save(FOLDER / f"{name}.jpg", quality=85)
        content = {
            "version": "5.4.1",
            "flags": {},
            "shapes": [
                {
                    "label": label,
                    "points": [[round(x, 1), round(y, 1)] for x, y in points],
                    "group_id": None,
                    "shape_type": "polygon",
                    "flags": {},
                }
                for label, points, _ in shapes
            ],
            "imagePath": f"{name}.jpg",
            "imageData": None,
            "imageHeight": SIZE[1],
            "imageWidth": SIZE[0],
        }
        (FOLDER / f"{name}.json").write_text(json.dumps(content) + "\n")


def scene(rng: np.random.Generator) -> list[Shape]:
    """Wall, table, and two to four mugs and plates, from back to front."""
    width, height = SIZE
    edge = float(rng.uniform(0.3, 0.5)) * height
    slope = float(rng.uniform(-12, 12))
    top: list[Point] = [(0.0, edge), (float(width), edge + slope)]
    wall, table = ((196, 203, 214), (150, 108, 74)) if rng.random() < 0.5 else ((226, 214, 190), (96, 84, 80))
    shapes: list[Shape] = [
        ("wall", [(0, 0), (width, 0), *top[::-1]], wall),
        ("table", [*top, (width, height), (0, height)], table),
    ]
    places = sorted(
        rng.uniform((30, edge + 25), (width - 30, height - 25), (int(rng.integers(2, 5)), 2)).tolist(),
        key=lambda place: place[1],
    )
    for x, y in places:
        size = 18 + 22 * (y - edge) / (height - edge)
        color = tuple(int(v) for v in rng.integers(60, 245, 3))
        outline = mug(x, y, size) if rng.random() < 0.5 else plate(x, y, size)
        label = "mug" if len(outline) < 30 else "plate"
        shapes.append((label, outline, color))  # type: ignore[arg-type]
    return shapes


def mug(x: float, y: float, size: float) -> list[Point]:
    """A body with a handle to the right."""
    left, right, top, bottom = x - 0.6 * size, x + 0.6 * size, y - 0.9 * size, y + 0.9 * size
    handle = [
        (right + 0.45 * size * math.sin(a), y - 0.45 * size * math.cos(a)) for a in np.linspace(0, math.pi, 9)
    ]
    return [(left, top), (right, top), *handle, (right, bottom), (left + 0.1 * size, bottom)]


def plate(x: float, y: float, size: float) -> list[Point]:
    """A flat ellipse."""
    return [
        (x + 1.5 * size * math.cos(a), y + 0.6 * size * math.sin(a))
        for a in np.linspace(0, 2 * math.pi, 36)[:-1]
    ]


def draw(shapes: list[Shape], rng: np.random.Generator) -> Image.Image:
    """The photo: flat colours, a little shade, and noise."""
    canvas = Image.new("RGB", (SIZE[0] * FINER, SIZE[1] * FINER))
    pen = ImageDraw.Draw(canvas)
    for _, points, color in shapes:
        pen.polygon([(x * FINER, y * FINER) for x, y in points], color)
    small = canvas.resize(SIZE, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.6))
    shade = np.linspace(1.08, 0.85, SIZE[1])[:, None, None]
    noisy = np.asarray(small, np.float32) * shade + rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
    encoded = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(encoded, "png")
    return Image.open(encoded)


if __name__ == "__main__":
    main()
