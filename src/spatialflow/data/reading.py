"""One photo and its panoptic PNG from disk, checked against what the JSON says of them."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png, read_photo
from spatialflow.zip_path import ReadPath, open_folder

_CITYSCAPES_SUFFIX = "_gtFine_leftImg8bit.png"
SMALLEST_SIDE = 32
"""Photos with a side below this many pixels are left out of training, as the original does."""


def find_images(
    annotations: str | os.PathLike[str], file_name: str, folder: str | os.PathLike[str] | None = None
) -> ReadPath:
    """Folder of a JSON's photos: ``folder``, or the first usual place that holds the photo ``file_name``.

    The usual places are ``../images``, COCO's own (``../train2017`` for ``panoptic_train2017.json``,
    ``../test2017`` for ``image_info_test-dev2017.json``), ``images``, the JSON's folder, and of Cityscapes
    ``../leftImg8bit/SPLIT``. If none of them holds it, a ``.zip`` of such a name may: ``../train2017.zip``.

    Raises:
        DataError: there is no such folder, or the ``.zip`` cannot be read.
    """
    if folder is not None:
        chosen = open_folder(folder, file_name)
        if chosen is None:
            raise DataError(
                f"{folder}: no such folder of photos for {annotations}; name the folder or .zip they are in"
            )
        return chosen
    folders = usual_image_folders(annotations)
    for place in itertools.chain(folders, usual_image_archives(annotations, file_name)):
        if photo_path(place, file_name).is_file():
            return place
    raise DataError(
        f"{annotations}: the photo {file_name} is in none of {', '.join(map(str, folders))}, nor in a .zip "
        f"of such a name; name the folder or .zip of the photos (data.train_images, data.val_images, "
        f"data.test_images; --images)"
    )


def usual_image_archives(annotations: str | os.PathLike[str], example: str) -> Iterator[ReadPath]:
    """Each ``.zip`` that can stand for one of :func:`usual_image_folders`, opened when it is its turn.

    Args:
        annotations: the JSON file.
        example: name of a photo; see :func:`spatialflow.zip_path.open_folder`.

    Raises:
        DataError: it cannot be read.
    """
    for folder in usual_image_folders(annotations):
        archive = open_folder(f"{folder}.zip", example)
        if archive is not None:
            yield archive


def usual_image_folders(annotations: str | os.PathLike[str]) -> list[Path]:
    """Where the photos of a JSON are looked for, if nobody says where they are, in this order."""
    here = Path(annotations).parent
    above = Path(os.path.normpath(here / ".."))
    usual = [
        above / "images",
        above / _split_of(Path(annotations)),
        here / "images",
        here,
    ]
    cityscapes = re.match(r"cityscapes_panoptic_(train|val|test)", Path(annotations).stem)
    if cityscapes:
        usual.insert(0, above / "leftImg8bit" / cityscapes[1])
    return usual


def photo_path(folder: ReadPath, file_name: str) -> ReadPath:
    """Where a photo lies: as it is called, or as Cityscapes' own panoptic files mean it.

    Those (csCreatePanopticImgs of cityscapesscripts) call CITY/CITY_1_2_leftImg8bit.png
    ``CITY_1_2_gtFine_leftImg8bit.png``, a file that does not exist.
    """
    path = folder / file_name
    if file_name.endswith(_CITYSCAPES_SUFFIX) and not path.is_file():
        city = file_name.partition("_")[0]
        return folder / city / file_name.replace(_CITYSCAPES_SUFFIX, "_leftImg8bit.png")
    return path


def _split_of(annotations: Path) -> str:
    """COCO's name of the folder of photos; test-dev is a part of test."""
    split = annotations.stem.removeprefix("panoptic_")
    if split.startswith("image_info_"):
        split = split.removeprefix("image_info_").replace("-dev", "").replace("-challenge", "")
    return split


def segments_folder(
    json_path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None, example: str = ""
) -> ReadPath:
    """Folder of a file's PNGs: ``folder``, or :func:`usual_segments`.

    Args:
        json_path: the file.
        folder: of its PNGs; a ``.zip`` may stand for it.
        example: name of a PNG; see :func:`spatialflow.zip_path.open_folder`.

    Raises:
        DataError: there is no such folder, or the ``.zip`` cannot be read.
    """
    found = usual_segments(json_path, example) if folder is None else open_folder(folder, example)
    if found is None:
        chosen = Path(json_path).with_suffix("") if folder is None else folder
        raise DataError(
            f"{chosen}: no such folder of panoptic PNGs for {json_path}; name the folder or .zip they are in "
            f"(data.train_segments, data.val_segments; --gt-dir, --pred-dir; --segments)"
        )
    return found


def usual_segments(json_path: str | os.PathLike[str], example: str) -> ReadPath | None:
    """Where COCO has a file's PNGs: at its path without ``.json``, a folder or else a ``.zip``.

    Args:
        json_path: the file.
        example: name of a PNG; see :func:`spatialflow.zip_path.open_folder`.

    Returns:
        None if there is neither.

    Raises:
        DataError: the ``.zip`` cannot be read.
    """
    folder = Path(json_path).with_suffix("")
    return open_folder(folder, example) or open_folder(f"{folder}.zip", example)


def read_id_map(
    path: ReadPath, image: ImageInfo, ids: NDArray[np.integer], annotations: str | os.PathLike[str]
) -> NDArray[np.int32]:
    """Segment ids of a PNG, (H, W) int32, once they are those of its ``segments_info``.

    Args:
        path: the PNG.
        image: what ``images`` of the JSON says.
        ids: (N,) unique, what ``segments_info`` lists.
        annotations: the JSON, to be named in errors.

    Raises:
        DataError: no PNG that can be read, another size, or other segments.
    """
    id_map = read_sized_id_map(path, image, annotations)
    check_painted(path, ids_in(id_map), image, ids, annotations)
    return id_map


def read_sized_id_map(
    path: ReadPath, image: ImageInfo, annotations: str | os.PathLike[str]
) -> NDArray[np.int32]:
    """Segment ids of a PNG, (H, W) int32, whatever they are.

    Raises:
        DataError: no PNG that can be read, or another size than ``images`` says.
    """
    id_map = read_id_png(path)
    check_size(path, id_map.shape, image, annotations)
    return id_map


def check_size(
    path: ReadPath, size: tuple[int, ...], image: ImageInfo, annotations: str | os.PathLike[str]
) -> None:
    """See that a file's (H, W) is what ``images`` of the JSON says.

    Raises:
        DataError: it is not.
    """
    if size != (image.height, image.width):
        raise DataError(
            f"{path}: is {_show(size)} pixels, but images says {image.width}x{image.height} for "
            f"image {image.id!r} in {annotations}; correct height and width there, or the PNG"
        )


def check_painted(
    path: ReadPath,
    painted: NDArray[np.integer],
    image: ImageInfo,
    ids: NDArray[np.integer],
    annotations: str | os.PathLike[str],
) -> None:
    """See that the ids in a PNG are those that ``segments_info`` lists.

    Raises:
        DataError: they are others.
    """
    where = f"segments_info of image {image.id!r} in {annotations}"
    for segment_id in np.setdiff1d(painted, ids)[:1]:
        raise DataError(
            f"{path}: segment {segment_id} has pixels but is not in {where}; add it, or paint it 0 (void)"
        )
    for segment_id in np.setdiff1d(ids, painted)[:1]:
        raise DataError(f"{path}: segment {segment_id} has no pixel but is in {where}; drop it, or paint it")


def read_photo_like(path: ReadPath, png: ReadPath, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The photo upright, or as stored where only that has the truth's size: there the annotator saw it so."""
    photo, upright = _read_of_size(path, size)
    if photo is None:
        raise DataError(
            f"{png}: is {_show(size)} pixels, but its photo {path} is {_show(upright.shape)}; "
            f"both must have one size"
        )
    return photo


def read_listed_photo(
    path: ReadPath, image: ImageInfo, listed_in: str | os.PathLike[str]
) -> NDArray[np.uint8]:
    """A photo without truth: upright, or as stored where only that has the size that its list states.

    Raises:
        DataError: it cannot be read, or is of neither size.
    """
    photo, upright = _read_of_size(path, (image.height, image.width))
    if photo is None:
        raise DataError(
            f"{path}: is {_show(upright.shape)} pixels, but images says {image.width}x{image.height} for "
            f"image {image.id!r} in {listed_in}; correct height and width there, or fetch the photo again"
        )
    return photo


def _read_of_size(
    path: ReadPath, size: tuple[int, ...]
) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8]]:
    """The photo in that size, if there is a way, and the photo upright."""
    upright = read_photo(path)
    if upright.shape[:2] == size:
        return upright, upright
    stored = read_photo(path, upright=False)
    return (stored if stored.shape[:2] == size else None), upright


def ids_in(id_map: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sorted ids in an (H, W) map, without 0."""
    flat = id_map.ravel()
    # One pixel of each run is enough, and far quicker than sorting them all.
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ids = np.unique(np.append(flat[starts], flat[:1]))
    return ids[ids != 0]


def _show(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
