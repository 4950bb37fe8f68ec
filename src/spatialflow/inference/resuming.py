"""What an interrupted or killed run of ``spatialflow predict`` has done, for a run that goes on from it.

While a run works, its hidden folder holds a journal beside the files: a line for each photo, written after
its PNG and its picture are there whole. A finished result says the same under ``run`` of its JSON file.
"""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from spatialflow.errors import DataError, OutputError
from spatialflow.evaluation.coco_format import OVERLAYS
from spatialflow.files import read_json
from spatialflow.image_io import check_png
from spatialflow.staging import JOURNAL

PNGS = "panoptic"
"""Folder of the PNGs, and stem of the JSON file."""


class PhotoKey(NamedTuple):
    """By which a photo is known again: as `make` and `rsync` do, not by its content."""

    name: str
    """Without the folder."""
    size: int
    """Bytes."""
    changed: int
    """Nanoseconds."""
    content: str = ""
    """Digest, only of photos of a list that are alike in all the rest, as pairs of two cameras may be."""


def key_of(photo: Path) -> PhotoKey | None:
    """Of a photo; None if there is no such file."""
    try:
        status = photo.stat()
    except OSError:
        return None
    return PhotoKey(photo.name, status.st_size, status.st_mtime_ns)


def keys_of(photos: Sequence[Path]) -> list[PhotoKey | None]:
    """Of all photos of a list, so that none is taken for another."""
    keys = [key_of(photo) for photo in photos]
    count = Counter(keys)
    return [
        key and key._replace(content=_digest(photo)) if count[key] > 1 else key
        for photo, key in zip(photos, keys, strict=True)
    ]


def _digest(photo: Path) -> str:
    """Of the content; of a file that cannot be read, none is needed."""
    try:
        with photo.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Done:
    """One photo's result."""

    entry: Mapping[str, Any]
    """Of ``annotations``."""
    image_size: tuple[int, int]
    """(H, W)."""
    png: Path
    overlay: Path | None


class Journal:
    """Of the run that writes now.

    Args:
        hidden: its folder.
        settings: what results depend on besides the photo; JSON.

    Raises:
        OutputError: it cannot be written; so does :meth:`add`.
    """

    def __init__(self, hidden: Path, settings: Mapping[str, Any]) -> None:
        self._path = hidden / JOURNAL
        self._write({"settings": settings})

    def add(self, key: PhotoKey, entry: Mapping[str, Any], image_size: tuple[int, int]) -> None:
        """Say that a photo is done, once its files are there."""
        self._write({"photo": key, "size": image_size, "entry": entry})

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self._path.parent}: cannot be written ({error.strerror or error}); free some space or "
                f"choose another output folder"
            ) from error


def earlier_photos(
    out: Path, left: list[Path], settings: Mapping[str, Any], overlay: bool
) -> dict[PhotoKey, Done]:
    """All photos that earlier runs have done.

    Args:
        out: the folder of results.
        left: hidden folders of killed runs.
        settings: of the run that is to go on; as in :class:`Journal`.
        overlay: whether it wants pictures: a photo without one is not done.

    Raises:
        OutputError: an earlier run was of another model or of other settings, or does not say.
    """
    done: dict[PhotoKey, Done] = {}
    for place, said, lines in (*_of_result(out), *_of_journals(out, left)):
        _check_settings(place, said, settings)
        for key, result in lines.items():
            if _is_complete(result.png) and (result.overlay is not None or not overlay):
                done[key] = result
    return done


_Run = tuple[Path, Any, dict[PhotoKey, Done]]
"""What errors call it, its settings, and what it has done."""


def _of_result(out: Path) -> Iterator[_Run]:
    path = out / f"{PNGS}.json"
    if not path.exists():
        return
    content = read_json(path)
    try:
        run = content["run"]
        sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
        keys = {
            image["id"]: PhotoKey(*key) for image, key in zip(content["images"], run["photos"], strict=True)
        }
        found = {
            keys[entry["image_id"]]: _done(entry, sizes[entry["image_id"]], [out])
            for entry in content["annotations"]
        }
        settings = run["settings"]
    except (KeyError, TypeError, ValueError):
        settings, found = None, {}
    yield path, settings, found


def _of_journals(out: Path, left: list[Path]) -> Iterator[_Run]:
    for hidden in left:
        lines = journal_lines(hidden)
        if lines:
            # what is not in the hidden folder any more was moved to its place when the run was killed
            found = {
                PhotoKey(*line["photo"]): _done(line["entry"], tuple(line["size"]), [hidden, out])
                for line in lines[1:]
            }
            yield out, lines[0].get("settings"), found


def journal_lines(hidden: Path) -> list[dict[str, Any]]:
    """Lines of a journal: the settings, then photos; none if it is not there."""
    lines = []
    with contextlib.suppress(OSError, ValueError):  # no journal; or its last line, when the run was killed
        for line in (hidden / JOURNAL).read_text(encoding="utf-8").splitlines():
            lines.append(json.loads(line))
    return lines


def files_of(out: Path, left: list[Path]) -> list[Path]:
    """Files that killed runs have moved to their places: those that their hidden folders had and lack now."""
    found = []
    for hidden in left:
        for line in journal_lines(hidden)[1:]:
            name = line["entry"]["file_name"]
            for source, target in zip(_paths(hidden, name), _paths(out, name), strict=True):
                if source.parent.is_dir() and not source.exists():
                    found.append(target)
    return found


def _paths(folder: Path, png_name: str) -> tuple[Path, Path]:
    return folder / PNGS / png_name, (folder / OVERLAYS / png_name).with_suffix(".jpg")


def _done(entry: Mapping[str, Any], size: tuple[int, int], folders: list[Path]) -> Done:
    """A photo's result, its files looked for in these folders in turn."""
    pngs, pictures = zip(*(_paths(folder, entry["file_name"]) for folder in folders), strict=True)
    png = next((path for path in pngs if path.exists()), pngs[-1])
    return Done(entry, size, png, next((path for path in pictures if path.exists()), None))


def _is_complete(png: Path) -> bool:
    """Whether the file is there and whole, which a computer that went off may have prevented."""
    try:
        check_png(png.read_bytes(), str(png))
    except (OSError, DataError):
        return False
    return True


def _check_settings(place: Path, said: Any, settings: Mapping[str, Any]) -> None:
    remedy = "leave --resume out to begin anew, or choose another output folder"
    if not isinstance(said, dict):
        raise OutputError(f"{place}: does not say how it was made, so nothing is taken over; {remedy}")
    differing = [key for key in settings if said.get(key) != settings[key]]
    if differing:
        listed = ", ".join(f"{key} ({said.get(key)}, now {settings[key]})" for key in differing)
        raise OutputError(f"{place}: an earlier run was made otherwise: {listed}; {remedy}")
