"""Photos and COCO-panoptic id PNGs, to and from arrays.

A panoptic PNG stores one segment id a pixel as ``id = R + 256 G + 65536 B`` (COCO panoptic format,
cocodataset.org/#format-data); 0 is void.
"""

import contextlib
import io
import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from spatialflow.errors import DataError
from spatialflow.files import write_bytes
from spatialflow.zip_path import ReadPath, ZipPath

MAX_SEGMENT_ID = 256**3 - 1
PHOTO_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
"""Files of a folder that are taken for photos."""
_ORIENTATION = 0x0112
_TURN: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a photo upright, by its EXIF orientation."""
_TRANSPOSED = (5, 6, 7, 8)
"""Orientations that swap width and height."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises on damaged files."""
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of ISO base media files that hold HEVC pictures (ISO/IEC 23008-12)."""
_PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # older ones lack it; a third of the time
    _PNG_OPTIONS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
"""Every complete PNG's last chunk; some programs leave bytes after it."""


class StoredPhoto(NamedTuple):
    """A photo as its file holds it."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB, not turned."""
    format: str
    """Pillow's name of what the file is, whatever its suffix says: JPEG, PNG, ..."""
    mode: str
    """Pillow's name of how pixels are stored: RGB, L, P, CMYK, RGBA, I;16, ..."""
    orientation: int
    """EXIF, 1..8; 1 is upright, and 5 and more swap height and width."""


def read_photo(path: str | os.PathLike[str], upright: bool = True) -> NDArray[np.uint8]:
    """Decode a photo to (H, W, 3) uint8 RGB, turned upright by its EXIF orientation unless told otherwise.

    Grey-scale, palette, CMYK and 16-bit images become RGB; transparency is laid over white.

    Raises:
        DataError: the file is missing, not an image, or truncated.
    """
    with _opened(path) as image:
        return _to_rgb_pixels(image, upright)


def read_image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(H, W) of an image as it is stored, from its header.

    Raises:
        DataError: the file is missing, or not an image.
    """
    return read_image_sizes(path)[1]


def read_image_sizes(path: str | os.PathLike[str]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(H, W) of an image upright by its EXIF orientation, and as it is stored, from its header.

    Raises:
        DataError: the file is missing, or not an image.
    """
    with _opened(path) as image:
        return upright_size(image), (image.height, image.width)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(H, W) of an open picture once it is turned upright."""
    return image.size if _orientation(image) in _TRANSPOSED else (image.height, image.width)


def read_stored_photo(path: str | os.PathLike[str]) -> StoredPhoto:
    """Decode a photo without turning it, and tell how it is stored.

    Raises:
        DataError: see :func:`read_photo`.
    """
    with _opened(path) as image:
        kind, mode = image.format or "", image.mode
        pixels = _to_rgb_pixels(image, upright=False)
        orientation = _orientation(image)
        return StoredPhoto(pixels, kind, mode, orientation if orientation in _TURN else 1)


@contextlib.contextmanager
def pillow_warnings() -> Iterator[None]:
    """Pillow's warnings as we want them: silence. Of more than 178 million pixels it makes an error.

    What Python's filters were comes back in the wrong order where threads overlap; around all threads, this
    makes every order the right one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # such as a damaged EXIF block: the pixels are fine
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """An image whose faults, here and inside of the block, come as one-line errors."""
    file = io.BytesIO(path.read_bytes()) if isinstance(path, ZipPath) else path
    try:
        with pillow_warnings(), Image.open(file) as image:
            yield image
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such image; check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, an image file is expected") from error
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: {_unidentified(path)}") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise DataError(
            f"{path}: has more than {most} million pixels, too many to be decoded safely; scale it down, or "
            f"cut it up, first"
        ) from error
    except _BROKEN as error:
        raise DataError(
            f"{path}: cannot be decoded ({error}); the file may be truncated, fetch it again"
        ) from error


def _unidentified(path: str | os.PathLike[str] | ZipPath) -> str:
    """What to say of a file that Pillow does not know."""
    if isinstance(path, ZipPath):
        head = path.read_bytes()[:12]
    else:
        with Path(path).open("rb") as file:
            head = file.read(12)
    if not head:
        return "is empty; fetch it again"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC:
        return "is a HEIC photo, as iPhones take them, which is not read here; convert it to JPEG or PNG"
    return "is not an image that can be read; convert it to JPEG or PNG"


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """A picture that is open already as (H, W, 3) uint8 RGB: what :func:`read_photo` gives for its file.

    Raises:
        DataError: it is truncated.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return _to_rgb_pixels(image, upright=True)
    except _BROKEN as error:
        name = getattr(image, "filename", "") or "image"
        raise DataError(f"{name}: cannot be decoded ({error}); the file may be truncated") from error


def _to_rgb_pixels(image: Image.Image, upright: bool) -> NDArray[np.uint8]:
    image.load()  # which turns a TIFF upright and removes its tag
    turn = _TURN.get(_orientation(image)) if upright else None
    image = _to_rgb(image)
    return np.asarray(image if turn is None else image.transpose(turn))


def _orientation(image: Image.Image) -> Any:
    """The EXIF tag, or None; a damaged block says nothing."""
    try:
        return image.getexif().get(_ORIENTATION)
    except (*_BROKEN, TypeError, struct.error):
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        pixels = np.asarray(image).astype(np.float32)
        top = 65535.0 if pixels.max(initial=0) > 255 else 255.0
        return Image.fromarray((pixels * (255.0 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def write_photo(path: str | os.PathLike[str], image: NDArray[np.uint8] | Image.Image) -> None:
    """Write a picture atomically; the suffix chooses the format.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    encoded = io.BytesIO()  # Pillow, writing to a file, takes no notice of a disk that fills up
    picture.save(encoded, Image.registered_extensions()[Path(path).suffix.lower()], quality=92)
    write_bytes(path, encoded.getvalue())


def read_id_png(path: str | os.PathLike[str]) -> NDArray[np.int32]:
    """Decode a panoptic PNG to its segment ids, (H, W) int32, 0 = void.

    Raises:
        DataError: the file is missing, truncated, or not an 8-bit RGB image.
    """
    return decode_id_png(read_png_bytes(path, "panoptic PNG"), str(path))


def read_png_bytes(path: str | os.PathLike[str], what: str) -> bytes:
    """The bytes of a file, unchecked; an error calls it ``what``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    place: ReadPath = path if isinstance(path, ZipPath) else Path(path)
    try:
        return place.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such {what}; check the folder and file_name") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def check_png(encoded: bytes, name: str) -> None:
    """See that bytes begin and end as a PNG does.

    Raises:
        DataError: they do not.
    """
    if not encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        raise DataError(f"{name}: is not a PNG; ids need its lossless format")
    if encoded.rfind(_PNG_END) < 0:
        raise DataError(f"{name}: the PNG is truncated; write or fetch it again")


def decode_id_png(encoded: bytes, name: str) -> NDArray[np.int32]:
    """Decode the bytes of a panoptic PNG; ``name`` is what an error calls it. See :func:`read_id_png`."""
    check_png(encoded, name)
    rgba = _decode_png_to_rgba(encoded)
    if rgba is None:
        raise DataError(f"{name}: the PNG cannot be decoded; write or fetch it again")
    if rgba.dtype != np.uint8 or rgba.ndim != 3:
        raise DataError(
            f"{name}: is not an 8-bit RGB PNG, so its pixels are no segment ids (R + 256 G + 65536 B)"
        )
    ids: NDArray[np.int32] = rgba.view("<i4")[..., 0]
    ids &= MAX_SEGMENT_ID  # without alpha; in place, as this runs twice an image in evaluation
    return ids.astype(np.int32, copy=False)


def _decode_png_to_rgba(encoded: bytes) -> NDArray[Any] | None:
    """(H, W, 4) if the PNG has three or four channels, (H, W) if not, None if it is broken."""
    width, height, depth, color_type = struct.unpack(">IIBB", encoded[16:26].ljust(10, b"\0"))
    if (depth, color_type) == (8, 2) and width * height < 1 << 28:
        # plain RGB, as nearly all are: kornia-rs takes a quarter of OpenCV's time
        try:
            return cv2.cvtColor(decode_image_png_u8(encoded, (height, width), "rgb"), cv2.COLOR_RGB2RGBA)
        except Exception:  # the decoder raises nothing more special for a broken file
            return None
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # a header that announces more pixels than OpenCV decodes
        return None
    if pixels is None or pixels.ndim != 3:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGBA if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def encode_id_png(ids: NDArray[np.integer]) -> bytes:
    """Encode segment ids (H, W), 0..2^24-1, as the bytes of a panoptic PNG."""
    if ids.ndim != 2:
        raise ValueError(f"segment ids must be (H, W), got {ids.shape}")
    if ids.size and not (int(ids.min()) >= 0 and int(ids.max()) <= MAX_SEGMENT_ID):
        raise ValueError(f"segment ids must lie in 0..{MAX_SEGMENT_ID}, got {ids.min()}..{ids.max()}")
    # 4 bytes are 4 bytes: a copy would be as large as the map
    words = np.ascontiguousarray(ids, dtype=None if ids.dtype == "<i4" else "<u4")
    rgba = words.view(np.uint8).reshape(*ids.shape, 4)
    return encode_png(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR))


def encode_png(pixels: NDArray[Any]) -> bytes:
    """Encode (H, W) or (H, W, 3) blue, green, red, of 8 or 16 bits, fast rather than small."""
    ok, encoded = cv2.imencode(".png", pixels, _PNG_OPTIONS)
    if not ok:  # OpenCV reports no reason
        raise ValueError("OpenCV could not encode the PNG")
    return encoded.tobytes()


def write_id_png(path: str | os.PathLike[str], ids: NDArray[np.integer]) -> None:
    """Write segment ids (H, W) as a panoptic PNG, atomically.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    write_bytes(path, encode_id_png(ids))
