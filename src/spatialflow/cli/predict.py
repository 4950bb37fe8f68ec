"""``spatialflow predict``: photos and what else holds pictures, segmented."""

from pathlib import Path
from typing import Annotated, cast

import typer

from spatialflow.cli.console import complain, progress, say
from spatialflow.cli.options import CheckpointOption, Device, PrecisionOption, Tta, note_of_earlier
from spatialflow.cli.predict_video import Json, MaxFrames, Stride, has_video, predict_videos


def predict(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE|FOLDER|GLOB|VIDEO", help="Photos or videos.")],
    checkpoint: CheckpointOption,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For the results.")],
    overlay: Annotated[bool, typer.Option(help="Also write pictures with class names.")] = True,
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
        predict_videos(images, checkpoint, out, overlay, device, precision, tta, json, max_frames, stride)
        return
    from spatialflow.inference.folder import find_photos, predict_folder

    photos = find_photos(images)
    from spatialflow.checkpoints import load_model
    from spatialflow.inference import Predictor
    from spatialflow.precision import Precision, choose

    choose(device, cast(Precision, precision))
    predictor = Predictor(load_model(checkpoint), device, cast(Precision, precision), tta)
    say(f"running on {predictor.hardware}{', with test-time augmentation' if tta else ''}")
    replaced = note_of_earlier(out)
    with progress("predict") as (show,):

        def report(done: int, failure: str | None) -> None:
            show(done, len(photos))
            if failure:
                complain("skipped", failure, "bold yellow")

        result = predict_folder(predictor, photos, out, overlay=overlay, progress=report)
    say(f"{result.done} of {len(photos)} photos done: {result.json_path}{replaced}")
    if result.failed:
        raise typer.Exit(1)
