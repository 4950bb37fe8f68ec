"""The folder of pages: written out of sight, and shown at the end in the place of earlier pages only."""

import contextlib
import os
from importlib import resources
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NoReturn, Self

from PIL import Image

from spatialflow.browsing.card import PAGES, PICTURES, Card
from spatialflow.browsing.markup import SCRIPT, STYLE
from spatialflow.errors import DataError, OutputError
from spatialflow.files import JsonListWriter, check_writable_folder, read_json, write_bytes
from spatialflow.image_io import write_photo
from spatialflow.staging import Staging, check_ours, remove_earlier

INFO = {"description": "pages of spatialflow data view"}
"""Of the list of files, by which earlier pages are known and replaced."""
LIST = "view.json"
INDEX = "index.html"
_ASSETS = (STYLE, SCRIPT)


class PageWriter:
    """Writes pictures and pages; they appear in their folder together, at :meth:`close`.

    Whatever ends the ``with`` block before that leaves everything as it was. Pictures and pages may be
    written from several threads at once, all else from one.

    Args:
        folder: for the pages; made if need be.
        about: what ``view.json`` says besides the images.

    Raises:
        OutputError: it cannot be written to, or a page of something else is in it.
    """

    def __init__(self, folder: str | os.PathLike[str], about: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self._list = self.folder / LIST
        check_ours(self._list, INFO)
        earlier = set(self._earlier())
        for name in (INDEX, *_ASSETS):  # the others have to wait until it is known which they are
            if (self.folder / name).exists() and self.folder / name not in earlier:
                self._refuse(self.folder / name)
        self._staging = Staging(self.folder, "view")
        self._hidden = self._staging.hidden
        try:
            head = {"info": INFO, **about}
            self._entries = JsonListWriter(self._hidden / LIST, head, "images", self._list)
        except OutputError:
            self._staging.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has not been shown."""
        self._entries.close()
        self._staging.__exit__(kind, error, trace)

    def write_picture(self, name: str, picture: Image.Image) -> None:
        """Write one picture; ``name`` is relative to the folder."""
        write_photo(self._hidden / name, picture)

    def write_page(self, name: str, page: bytes) -> None:
        """Write one page; ``name`` is relative to the folder."""
        write_bytes(self._hidden / name, page)

    def add(self, card: Card) -> None:
        """List an image whose files have been written."""
        self._entries.append(card.to_json())

    def close(self, grids: list[str]) -> Path:
        """Replace earlier pages by these.

        Args:
            grids: file names of the pages of the grid.

        Returns:
            The path of the first page.

        Raises:
            OutputError: a file of something else is in the way, or one cannot be removed or written.
        """
        for name in _ASSETS:
            asset = resources.files("spatialflow.browsing").joinpath(PurePosixPath(name).name)
            write_bytes(self._hidden / name, asset.read_bytes())
        self._entries.finish({"pages": [*grids, *_ASSETS]})
        earlier = [self._list, *self._earlier()]
        target = self._staging.in_the_way(allowed=set(earlier))
        if target is not None:
            self._refuse(target)
        remove_earlier(earlier)
        for name in (PAGES, PICTURES):
            check_writable_folder(self.folder / name)
        self._staging.show(last=LIST)
        return self.folder / INDEX

    def _refuse(self, target: Path) -> NoReturn:
        raise OutputError(
            f"{target}: is of no earlier pages that {self._list} lists, so it is not replaced; remove it, or "
            f"choose another output folder"
        )

    def _earlier(self) -> list[Path]:
        """Files of earlier pages besides their list."""
        with contextlib.suppress(DataError, KeyError, TypeError):  # missing, or not as it was written
            content = read_json(self._list)
            names = [*content["pages"], *(name for entry in content["images"] for name in entry["files"])]
            paths = [PurePosixPath(name) for name in names]
            return [self.folder / p for p in paths if not p.is_absolute() and ".." not in p.parts]
        return []
