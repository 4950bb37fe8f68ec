"""The JSON file of a conversion and its PNGs: out of sight until they are whole, never over others' files."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spatialflow.data.panoptic_files import listed_pngs
from spatialflow.errors import OutputError
from spatialflow.files import JsonListWriter, begins_with
from spatialflow.staging import CONVERTED_BY, Staging, remove_earlier, write_hidden

_KEY = CONVERTED_BY
_VALUE = "spatialflow convert"
"""How JSON files written here begin, so that a new conversion may replace them and the PNGs they list."""


class JsonOutput:
    """One COCO JSON file whose ``annotations`` are written one by one, and PNGs in the folder of its name.

    Until :meth:`finish` an earlier conversion stays as it is; whatever ends the ``with`` block before that
    leaves no trace.

    Args:
        out: the JSON file. PNGs go to the folder of that name without ``.json``.
        head: what the file says before its annotations, such as ``info``.
        inputs: files and folders that are read, which the output must not replace.
        overwrite: replace files that no conversion made, too.

    Raises:
        OutputError: ``out`` does not end in ``.json``, is an input, is in the way, or cannot be written.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        head: Mapping[str, Any],
        inputs: Iterable[str | os.PathLike[str]] = (),
        overwrite: bool = False,
    ) -> None:
        self.path = Path(out)
        if self.path.suffix != ".json" or self.path.is_dir():
            raise OutputError(f"{out}: the name of a JSON file is expected, which ends in .json")
        self.pngs = self.path.with_suffix("")
        check_no_input([self.path, self.pngs], inputs)
        self._is_ours = begins_with(self.path, {_KEY: _VALUE})
        self._overwrite = overwrite
        if self.path.exists() and not (self._is_ours or overwrite):
            raise OutputError(
                f"{out}: is there already and was not made by spatialflow convert, so it is not replaced; "
                f"choose another name, or pass --overwrite"
            )
        self._staging = Staging(self.path.parent, self.path.stem)
        hidden = self._staging.hidden / self.path.name
        self._list = JsonListWriter(hidden, {_KEY: _VALUE, **head}, "annotations", shown=self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has not been shown."""
        self._list.close()
        self._staging.__exit__(kind, error, trace)

    def append(self, annotation: Any) -> None:
        """Write one more of the annotations.

        Raises:
            OutputError: the disk is full.
        """
        self._list.append(annotation)

    def write_png(self, name: str, encoded: bytes) -> None:
        """Write a PNG, from any thread.

        Raises:
            OutputError: it cannot be written.
        """
        write_hidden(self._staging.hidden / self.pngs.name / name, encoded, shown=self.pngs / name)

    def finish(self, tail: Mapping[str, Any]) -> None:
        """Write what the file says after its annotations, and show everything in the place of an earlier one.

        Raises:
            OutputError: a file is in the way, or the earlier ones cannot be removed.
        """
        self._list.finish(tail)
        earlier = []
        if self._is_ours:
            earlier = [self.pngs / name for name in listed_pngs(self.path, _KEY, _VALUE)]
        if not self._overwrite:
            refuse_foreign(self._staging, {self.path, *earlier})
        self._staging.check_places()
        remove_earlier([self.path, *earlier])
        self._staging.show(last=self.path.name)


def check_no_input(outputs: Iterable[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """See that nothing which is read would be replaced.

    Raises:
        OutputError: an output is an input.
    """
    read = {Path(path).resolve() for path in inputs}
    for output in outputs:
        if output.resolve() in read:
            raise OutputError(f"{output}: is what is converted, so it is not replaced; choose another name")


def refuse_foreign(staging: Staging, allowed: set[Path]) -> None:
    """See that no file is replaced but the ``allowed``.

    Raises:
        OutputError: it names the file that is in the way.
    """
    target = staging.in_the_way(allowed)
    if target is not None:
        raise OutputError(
            f"{target}: is there already and of no earlier conversion, so it is not replaced; choose another "
            f"name, or pass --overwrite"
        )
