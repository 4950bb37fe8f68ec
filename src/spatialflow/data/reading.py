"""One photo and its panoptic PNG from disk, checked against what the JSON says of them."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png, read_photo

SMALLEST_SIDE = 32
"""Photos with a side below this many pixels are left out of training, as the original does."""


def find_images(
    annotations: str | os.PathLike[str], file_name: str, folder: str | os.PathLike[str] | None = None
) -> Path:
    """Folder of a JSON's photos: ``folder``, or the first usual place that holds the photo ``file_name``.

    The usual places are ``../images``, COCO's own (``../train2017`` for ``panoptic_train2017.json``),
    ``images``, and the JSON's folder.

    Raises:
        DataError: there is no such folder.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise DataError(
                f"{folder}: no such folder of photos for {annotations}; name the folder they are in"
            )
        return Path(folder)
    usual = usual_image_folders(annotations)
    for place in usual:
        if (place / file_name).is_file():
            return place
    raise DataError(
        f"{annotations}: the photo {file_name} is in none of {', '.join(map(str, usual))}; "
        f"name the folder of the photos (data.train_images, data.val_images)"
    )


def usual_image_folders(annotations: str | os.PathLike[str]) -> list[Path]:
    """Where the photos of a JSON are looked for, if nobody says where they are, in this order."""
    here = Path(annotations).parent
    above = Path(os.path.normpath(here / ".."))
    return [
        above / "images",
        above / Path(annotations).stem.removeprefix("panoptic_"),
        here / "images",
        here,
    ]


def read_id_map(
    path: Path, image: ImageInfo, ids: NDArray[np.integer], annotations: str | os.PathLike[str]
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
    id_map = read_id_png(path)
    if id_map.shape != (image.height, image.width):
        raise DataError(
            f"{path}: is {_show(id_map.shape)} pixels, but images says {image.width}x{image.height} for "
            f"image {image.id!r} in {annotations}; correct height and width there, or the PNG"
        )
    painted = ids_in(id_map)
    where = f"segments_info of image {image.id!r} in {annotations}"
    for segment_id in np.setdiff1d(painted, ids)[:1]:
        raise DataError(
            f"{path}: segment {segment_id} has pixels but is not in {where}; add it, or paint it 0 (void)"
        )
    for segment_id in np.setdiff1d(ids, painted)[:1]:
        raise DataError(f"{path}: segment {segment_id} has no pixel but is in {where}; drop it, or paint it")
    return id_map


def read_photo_like(path: Path, png: Path, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The photo upright, or as stored where only that has the truth's size: there the annotator saw it so."""
    photo = read_photo(path)
    if photo.shape[:2] != size:
        upright, photo = photo, read_photo(path, upright=False)
        if photo.shape[:2] != size:
            raise DataError(
                f"{png}: is {_show(size)} pixels, but its photo {path} is {_show(upright.shape)}; "
                f"both must have one size"
            )
    return photo


def ids_in(id_map: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sorted ids in an (H, W) map, without 0."""
    flat = id_map.ravel()
    # One pixel of each run is enough, and far quicker than sorting them all.
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ids = np.unique(np.append(flat[starts], flat[:1]))
    return ids[ids != 0]


def _show(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
