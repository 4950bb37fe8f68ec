"""A video's panoptic frames as COCO-panoptic files, written one by one in constant memory."""

import os
import re
import shutil
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from spatialflow.categories import Categories
from spatialflow.errors import OutputError
from spatialflow.files import JsonListWriter, begins_with
from spatialflow.image_io import encode_id_png
from spatialflow.staging import Staging, write_hidden
from spatialflow.structures import PanopticPrediction

INFO = {"description": "frames of a video by SpatialFlow"}
"""How the JSON files written here begin, so that a new result may replace them."""
_PNG = re.compile(r"\d{6,}\.png")


class FrameFiles:
    """``NAME.json`` and the folder ``NAME`` of PNGs, hidden until they are complete.

    Frame 1 is image 1 with PNG ``000001.png``, and so on. What ends the ``with`` block before :meth:`finish`
    leaves no trace, and an earlier result as it was.

    Args:
        path: of the JSON file.
        categories: of the predictions.
        size: (H, W) of the frames.

    Raises:
        OutputError: ``path`` does not end in ``.json``, files of something else are in the way, or the folder
            cannot be written to.
    """

    def __init__(self, path: Path, categories: Categories, size: tuple[int, int]) -> None:
        if path.suffix != ".json" or path.is_dir():
            raise OutputError(f"{path}: the name of a JSON file is expected, which ends in .json")
        self.path, self.pngs = path, path.with_suffix("")
        self._categories, self._size = categories, size
        self._count = 0
        self._check_place()
        self._staging = Staging(path.parent, path.stem)
        self._hidden = self._staging.hidden / self.pngs.name
        self._hidden.mkdir(exist_ok=True)
        self._list = JsonListWriter(self._hidden.with_suffix(".json"), {"info": INFO}, "annotations", path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has not been shown."""
        self._list.close()
        self._staging.__exit__(kind, error, trace)

    def add(self, prediction: PanopticPrediction, time: Fraction) -> None:
        """Write the next frame.

        Args:
            prediction: of the frame.
            time: seconds from the first frame, noted beside what COCO's format asks for.

        Raises:
            OutputError: it cannot be written.
        """
        self._count += 1
        name = f"{self._count:06d}.png"
        encoded = encode_id_png(prediction.segment_ids.numpy(force=True))
        write_hidden(self._hidden / name, encoded, shown=self.pngs / name)
        self._list.append({**prediction.to_coco(self._count, name), "time": round(float(time), 6)})

    def finish(self) -> None:
        """Show the files in the place of an earlier result.

        Raises:
            OutputError: the earlier one cannot be removed, or this one cannot be moved to its place.
        """
        height, width = self._size
        self._list.begin("images")
        for number in range(1, self._count + 1):
            self._list.append(
                {"id": number, "file_name": f"{number:06d}.jpg", "height": height, "width": width}
            )
        self._list.finish({"categories": self._categories.to_json()})
        self._check_place()
        try:
            self.path.unlink(missing_ok=True)  # first: none is to name missing PNGs
            if self.pngs.exists():
                shutil.rmtree(self.pngs)
            self._hidden.replace(self.pngs)  # the folder as a whole, however many files
            self._hidden.with_suffix(".json").replace(self.path)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be put in its place ({error.strerror or error}); choose another name"
            ) from error

    def _check_place(self) -> None:
        """See that nothing is replaced but an earlier result.

        Raises:
            OutputError: it names what is in the way.
        """
        is_ours = begins_with(self.path, {"info": INFO})
        stranger = self.path if self.path.exists() and not is_ours else self._stranger(is_ours)
        if stranger is not None:
            raise OutputError(
                f"{stranger}: is of no earlier result of a video, so it is not replaced; remove it, or "
                f"choose another output"
            )

    def _stranger(self, is_ours: bool) -> Path | None:
        """What is where the PNGs go and is not an earlier result's."""
        if not self.pngs.is_dir():
            return self.pngs if self.pngs.exists() else None
        with os.scandir(self.pngs) as entries:
            for entry in entries:
                if not (is_ours and _PNG.fullmatch(entry.name)):
                    return Path(entry.path)
        return None
