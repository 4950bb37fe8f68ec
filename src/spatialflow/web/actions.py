"""What the page does when something on it changes; each method is one of its events."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spatialflow.errors import SpatialFlowError
from spatialflow.web.checks import check_clip, check_photo
from spatialflow.web.clips import write_clip
from spatialflow.web.downloads import Downloads, write_downloads
from spatialflow.web.engine import Engine, Look, Thresholds
from spatialflow.web.limits import Limits
from spatialflow.web.result_view import EMPTY, refusal_html, result_html
from spatialflow.web.uploads import told_to_visitor, uploaded_file


class Actions:
    """The events of the page and of its endpoint.

    Args:
        engine: the network.
        limits: what visitors may send.
        folder: for results; Gradio's own, so that it serves and removes them.
    """

    def __init__(self, engine: Engine, limits: Limits, folder: Path) -> None:
        self.engine = engine
        self.limits = limits
        self._folder = folder

    def look(self, data: object, ticket: str | None, confidence: float, overlap: float) -> tuple[Any, ...]:
        """A photo came, or went: run the network, and show what it found, or why there is nothing."""
        import gradio as gr

        if data is None:
            self.engine.drop(ticket)
            return EMPTY, None, *_no_files()
        try:
            thresholds = _thresholds(confidence, overlap)
            look = self._look(data, thresholds)
            html = self._shown(look, thresholds)
        except gr.Error as error:
            # in the result's place, so that an earlier one is not taken for this photo's
            gr.Warning(error.message)
            return refusal_html(error.message), None, *_no_files()
        finally:
            self.engine.drop(ticket)  # not before: until then its result is on the page, with its sliders
        return html, self.engine.hold(look), *_no_files()

    def merge_again(self, ticket: str | None, confidence: float, overlap: float) -> tuple[Any, ...]:
        """A threshold moved: merge what was found anew; the network does not run."""
        import gradio as gr

        if ticket is None:
            return gr.skip(), *_no_files()
        with _told_to_visitor():
            look = self.engine.held(ticket)
            thresholds = Thresholds(confidence, overlap)
            html = self._shown(look, thresholds)
        if look.latest is not thresholds or not self.engine.holds(ticket):  # overtaken; the later one shows
            return _unchanged()
        return html, *_no_files()

    def catch_up(self, ticket: str | None, confidence: float, overlap: float) -> tuple[Any, ...]:
        """A photo's result came: if a threshold moved while the network was at work, merge by it."""
        if ticket is None:
            return _unchanged()
        with _told_to_visitor():
            latest, wanted = self.engine.held(ticket).latest, Thresholds(confidence, overlap)
        return _unchanged() if latest == wanted else self.merge_again(ticket, confidence, overlap)

    def write(self, ticket: str | None) -> tuple[Any, ...]:
        """Write the files of what is shown, and let them be fetched."""
        if ticket is None:
            return _no_files()
        with _told_to_visitor():
            look = self.engine.held(ticket)
            with look.writing:
                downloads = self._written(look, look.latest or self.engine.defaults)
        return _as_buttons(downloads)

    def predict(self, photo: object, confidence: float, overlap: float) -> tuple[Any, ...]:
        """The endpoint for programs: the segments, and the paths of the three files."""
        thresholds = _thresholds(confidence, overlap)
        look = self._look(photo, thresholds)
        prediction = self.engine.merge(look, thresholds)
        entry = prediction.to_coco(1, f"{Path(look.name).stem}.png")
        for segment, row in zip(prediction.segments, entry["segments_info"], strict=True):
            row["category"] = segment.category.name
        height, width = prediction.segment_ids.shape
        shown = {"width": width, "height": height, "segments": entry["segments_info"]}
        return shown, *(str(path) for path in self._written(look, thresholds))

    def clip(self, data: object, progress: Callable[[int, int | None], object]) -> tuple[Any, ...]:
        """A clip came: segment it frame by frame; the overlay, and an archive of the frames' segments."""
        import gradio as gr

        with self.engine.at_work(), _told_to_visitor() as about:
            path = uploaded_file(data, "clip")
            about.append(path)
            check_clip(path, self.limits)
            files = write_clip(self.engine, path, self._folder, self.limits.clip_seconds, progress)
        return str(files.overlay), gr.DownloadButton(value=str(files.archive), interactive=True)

    def _look(self, data: object, thresholds: Thresholds) -> Look:
        with self.engine.at_work(), _told_to_visitor() as about:
            path = uploaded_file(data)
            about.append(path)
            check_photo(path, self.limits)
            look = self.engine.look(path)
        look.latest = thresholds
        return look

    def _shown(self, look: Look, thresholds: Thresholds) -> str:
        look.latest = thresholds
        with self.engine.at_work():
            return result_html(look.pixels, self.engine.merge(look, thresholds))

    def _written(self, look: Look, thresholds: Thresholds) -> Downloads:
        with self.engine.at_work():
            prediction = self.engine.merge(look, thresholds)
            overlay = prediction.plot(look.pixels)
            return write_downloads(look.name, prediction, overlay, self.engine.categories, self._folder)


@contextlib.contextmanager
def _told_to_visitor() -> Iterator[list[Path]]:
    """Errors of input become messages on the page; yields a list for the file that they are about."""
    import gradio as gr

    about: list[Path] = []
    try:
        yield about
    except SpatialFlowError as error:
        message = told_to_visitor(error, about[0] if about else None)
        raise gr.Error(message, print_exception=False) from error


def _thresholds(confidence: object, overlap: object) -> Thresholds:
    with _told_to_visitor():
        return Thresholds(confidence, overlap)  # type: ignore[arg-type]


def _unchanged() -> tuple[Any, ...]:
    """For the result and the buttons."""
    import gradio as gr

    return gr.skip(), *(gr.skip() for _ in Downloads._fields)


def _no_files() -> tuple[Any, ...]:
    import gradio as gr

    return tuple(gr.DownloadButton(interactive=False) for _ in Downloads._fields)


def _as_buttons(downloads: Downloads) -> tuple[Any, ...]:
    import gradio as gr

    return tuple(gr.DownloadButton(value=str(path), interactive=True) for path in downloads)
