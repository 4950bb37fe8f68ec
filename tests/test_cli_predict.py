"""`spatialflow predict` on all that people call a photo."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_cli import Command
from spatialflow.data.synthetic_scene import draw_scene
from spatialflow.image_io import read_id_png

Make = Callable[[Image.Image, Path], object]
SIZE = (96, 112)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(draw_scene(np.random.default_rng(3), SIZE).photo)


def transparent(photo: Image.Image, path: Path) -> None:
    photo = photo.copy()
    photo.putalpha(128)
    photo.save(path)


def palette_with_a_transparent_colour(photo: Image.Image, path: Path) -> None:
    photo.quantize(16).save(path, transparency=3)


def sixteen_bits(photo: Image.Image, path: Path) -> None:
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(path)


def animated(photo: Image.Image, path: Path) -> None:
    photo.save(path, save_all=True, append_images=[photo.rotate(180), photo.rotate(90)])


READ: dict[str, Make] = {
    "grey.png": lambda photo, path: photo.convert("L").save(path),
    "bits.png": lambda photo, path: photo.convert("1").save(path),
    "palette.png": lambda photo, path: photo.quantize(16).save(path),
    "palette-t.png": palette_with_a_transparent_colour,
    "rgba.png": transparent,
    "rgba.webp": transparent,
    "grey-alpha.png": lambda photo, path: photo.convert("LA").save(path),
    "cmyk.jpg": lambda photo, path: photo.convert("CMYK").save(path),
    "16.png": sixteen_bits,
    "16.tif": sixteen_bits,
    "float.tif": lambda photo, path: photo.convert("F").save(path),
    "a.bmp": lambda photo, path: photo.save(path),
    "mislabelled.jpg": lambda photo, path: photo.save(path, "png"),
    "animated.gif": animated,
    "animated.webp": animated,
    "animated.png": animated,
    "pages.tif": animated,
    "one.gif": lambda photo, path: photo.save(path),
    "pixel.png": lambda photo, path: photo.resize((1, 1)).save(path),
    "16x16.png": lambda photo, path: photo.resize((16, 16)).save(path),
    "line.png": lambda photo, path: photo.resize((3000, 1)).save(path),
}


def test_what_is_read(spatialflow: Command, photo: Image.Image, tmp_path: Path) -> None:
    for name, make in READ.items():
        make(photo, tmp_path / name)
    out = tmp_path / "out"
    paths = [tmp_path / name for name in READ]
    code, said, err = spatialflow("predict", *paths, "-c", "tiny", "--out", out, "--device", "cpu")
    assert code == 0
    assert f"{len(READ)} of {len(READ)} photos done" in said
    assert err.splitlines() == [
        f"note: {tmp_path / name}: holds 3 pictures; the first is used"
        for name in ("animated.gif", "animated.webp", "animated.png", "pages.tif")
    ] + [
        f"note: {tmp_path / 'line.png'}: 3000x1 pixels are shrunk to 160 on the longer side for the network; "
        f"--tile would find small things"
    ]
    content = json.loads((out / "panoptic.json").read_text())
    for image, entry in zip(content["images"], content["annotations"], strict=True):
        with Image.open(tmp_path / image["file_name"]) as opened:
            assert (image["width"], image["height"]) == opened.size
        ids = read_id_png(out / "panoptic" / entry["file_name"])
        assert ids.shape == (image["height"], image["width"])
        assert set(np.unique(ids)) - {0} == {segment["id"] for segment in entry["segments_info"]}


def heic(photo: Image.Image, path: Path) -> None:
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def truncated(photo: Image.Image, path: Path) -> None:
    photo.save(path)
    path.write_bytes(path.read_bytes()[:-2000])


def enormous(photo: Image.Image, path: Path) -> None:
    """20,000 x 20,000 pixels, as the header says; there need be no more of it."""
    Image.new("1", (20_000, 1)).save(path)
    content = bytearray(path.read_bytes())
    content[22:26] = (20_000).to_bytes(4, "little")
    path.write_bytes(bytes(content))


REFUSED: dict[str, tuple[Make, str]] = {
    "empty.jpg": (lambda photo, path: path.touch(), "is empty; fetch it again"),
    "text.png": (
        lambda photo, path: path.write_text("no photo"),
        "is not an image that can be read; convert",
    ),
    "iphone.heic": (
        heic,
        "is a HEIC photo, as iPhones take them, which is not read here; convert it to JPEG",
    ),
    "cut.jpg": (truncated, "cannot be decoded (image file is truncated"),
    "cut.png": (truncated, "cannot be decoded ("),
    "cut.webp": (truncated, "cannot be decoded ("),
    "enormous.bmp": (
        enormous,
        "has more than 178 million pixels, too many to be decoded safely; scale it down",
    ),
    "folder.jpg": (lambda photo, path: path.mkdir(), "the folder holds no photos"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(spatialflow: Command, photo: Image.Image, tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    make(photo, tmp_path / name)
    code, _, err = spatialflow("predict", tmp_path / name, "-c", "tiny", "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"error: {tmp_path / name}: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("url", ["https://example.org/a.jpg", "s3://bucket/a.jpg"])
def test_a_url_is_refused_with_the_way_out(spatialflow: Command, tmp_path: Path, url: str) -> None:
    code, _, err = spatialflow("predict", url, "-c", "tiny", "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"error: {url}: is a URL, which is not fetched here; download it first")


def test_bad_ones_among_good_ones(spatialflow: Command, photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "a.png")
    photo.save(tmp_path / "z.png")
    for name in ("empty.jpg", "cut.png", "enormous.bmp", "iphone.heic"):
        REFUSED[name][0](photo, tmp_path / name)
    code, said, err = spatialflow("predict", tmp_path, "-c", "tiny", "--out", tmp_path / "out")
    assert code == 1
    assert "2 of 6 photos done" in said
    assert [line.split(":")[0] for line in err.splitlines()] == ["skipped"] * 4
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "z.png"]


def test_tiles_and_resume(spatialflow: Command, tmp_path: Path) -> None:
    scene = draw_scene(np.random.default_rng(4), (224, 290))
    Image.fromarray(scene.photo).save(tmp_path / "a.png")
    command = ("predict", tmp_path / "a.png", "-c", "tiny", "--out", tmp_path / "out", "--device", "cpu")
    assert spatialflow(*command, "--tile").code == 0
    (entry,) = json.loads((tmp_path / "out" / "panoptic.json").read_text())["annotations"]
    assert len(entry["segments_info"]) == len(scene.layers)
    assert "1 photos done (1 of them by an earlier run)" in spatialflow(*command, "--tile", "--resume").out
    code, _, err = spatialflow(*command, "--tile-size", "200", "--resume")
    assert code == 2
    assert (
        "earlier run was made otherwise: tiles (the network's size, overlapping by 0.25, now 200 pixels"
        in err
    )
    assert spatialflow(*command, "--tile-size", "200", "--tile-overlap", "0.4").code == 0
    code, _, err = spatialflow(*command, "--tile-overlap", "0.9")
    assert (code, err.startswith("error: tile overlap: 0.9 is out of range")) == (2, True)
