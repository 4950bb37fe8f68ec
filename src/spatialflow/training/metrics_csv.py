"""Metrics as a table on disk."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from spatialflow.files import write_bytes


class MetricsCsv(Logger):
    """One line each time something is logged, a column for each metric; the first column is ``step``.

    A resumed training goes on in the same file (Lightning's own CSV logger would begin a new one).

    Args:
        path: the file; lines of steps before ``first_step`` are kept.
        first_step: of this training.
    """

    def __init__(self, path: Path, first_step: int = 0) -> None:
        super().__init__()
        self.path = path
        self._rows: list[dict[str, Any]] = []
        if first_step and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            # a full disk may have cut the last line short
            self._rows = [row for row in rows if row["step"].isdigit() and int(row["step"]) < first_step]
        self._columns = list(self._rows[0]) if self._rows else ["step"]
        self._is_stale = True

    @property
    def name(self) -> None:
        """Runs are told apart by their folder."""

    @property
    def version(self) -> None:
        """Likewise."""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config is in the checkpoint."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a line.

        Raises:
            OSError: the file cannot be written, or the disk is full.
        """
        row = {"step": step, **metrics}
        self._rows.append(row)
        new = [column for column in row if column not in self._columns]
        if new or self._is_stale:
            self._columns += new
            self._rewrite()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(self._rows)
        write_bytes(self.path, text.getvalue().encode())
        self._is_stale = False
