"""``spatialflow predict``: photos and what else holds pictures, segmented."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spatialflow.cli.console import complain, progress, say
from spatialflow.cli.options import CheckpointOrOnnxOption, Device, PrecisionOption, Tta, note_of_earlier
from spatialflow.cli.predict_video import Json, MaxFrames, Stride, has_video, predict_videos
from spatialflow.errors import ConfigError

if TYPE_CHECKING:
    from spatialflow.inference.tiles import Tiling


_FILES = frozenset(
    (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".json", ".mp4", ".mov", ".mkv", ".webm", ".avi")
)
"""Suffixes that somebody gives who expects one file."""


def predict(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE|FOLDER|GLOB|VIDEO", help="Photos or videos.")],
    checkpoint: CheckpointOrOnnxOption,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER|FILE", help="For the results; of a video also the file that it becomes."
        ),
    ],
    overlay: Annotated[bool, typer.Option(help="Also write pictures with class names.")] = True,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Take over what an earlier run of the same model and settings has done in this folder, "
            "also one that was killed; photos that are new or were changed since are done.",
        ),
    ] = False,
    tile: Annotated[
        bool,
        typer.Option(
            "--tile",
            help="Cut photos that are larger than what the network looks at into overlapping tiles: finds "
            "small things; slower by the number of tiles.",
        ),
    ] = False,
    tile_size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Longer side of a tile (default: the network's own, so that it sees the photo as it is). "
            "Implies --tile.",
        ),
    ] = None,
    tile_overlap: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Least share of a tile's sides that the next one has, too, 0.05 to 0.5 (default: 0.25). "
            "Implies --tile.",
        ),
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    tta: Tta = False,
    json: Json = True,
    max_frames: MaxFrames = None,
    stride: Stride = 1,
) -> None:
    """Segment photos: panoptic PNGs, one COCO-panoptic JSON, overlay pictures.

    A photo that cannot be read is reported and skipped; the exit code is then 1.

    A video is a file, a webcam's number or a stream's address (rtsp://...), and becomes an overlay video,
    OUT or in the folder OUT, in which things keep their ids; webcams and streams go on until Ctrl+C.

    Example: spatialflow predict photos/ --checkpoint tiny --out results

    Example: spatialflow predict clip.mp4 --checkpoint tiny --out out.mp4
    """
    if has_video(images):
        given = {"--resume": resume, "--tile": tile, "--tile-size": tile_size, "--tile-overlap": tile_overlap}
        wrong = [name for name, value in given.items() if value]
        predict_videos(
            images, checkpoint, out, overlay, device, precision, tta, json, max_frames, stride, wrong
        )
        return
    if out.suffix.lower() in _FILES and not out.is_dir():
        raise ConfigError(f"--out {out}: is a file's name; of photos the results are a folder, so give one")
    if max_frames is not None or stride != 1 or not json:
        raise ConfigError(f"--max-frames, --stride and --no-json are of videos, and {images[0]} is none")
    from spatialflow.inference.folder import WITH_HEIC, find_photos, predict_folder

    tiling = _tiling(tile, tile_size, tile_overlap)
    photos = find_photos(images, WITH_HEIC)
    from spatialflow.export.loading import load_predictor
    from spatialflow.precision import Precision

    predictor, hardware = load_predictor(checkpoint, device, cast(Precision, precision), tta)
    say(f"running on {hardware}{', with test-time augmentation' if tta else ''}")
    replaced = "" if resume else note_of_earlier(out)
    with progress("predict") as (show,):

        def report(done: int, failure: str | None) -> None:
            show(done, len(photos))
            if failure:
                complain("skipped", failure, "bold yellow")

        result = predict_folder(
            predictor,
            photos,
            out,
            overlay=overlay,
            tiling=tiling,
            resume=resume,
            progress=report,
            note=lambda line: complain("note", line, "bold"),
        )
    taken = f" ({result.taken} of them by an earlier run)" if result.taken else ""
    say(f"{result.done} of {len(photos)} photos done{taken}: {result.json_path}{replaced}")
    if result.failed:
        raise typer.Exit(1)


def _tiling(tile: bool, side: int | None, overlap: float | None) -> "Tiling | None":
    """What the three options together say.

    Raises:
        ConfigError: a number is out of range.
    """
    if not tile and side is None and overlap is None:
        return None
    from spatialflow.inference.tiles import Tiling

    given = {"side": side, "overlap": overlap}
    return Tiling(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
