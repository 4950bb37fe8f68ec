"""``spatialflow serve``: a web page for photos and clips."""

import signal
import threading
from pathlib import Path
from typing import Annotated, cast

import typer

from spatialflow.cli.console import complain, say
from spatialflow.cli.options import CheckpointOption, Device, PrecisionOption
from spatialflow.web.limits import LIMITS, Limits
from spatialflow.web.ready import LOOPBACK, check_gradio, free_port

_OWN = (LOOPBACK, "localhost", "::1")


def serve(
    checkpoint: CheckpointOption,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="0.0.0.0 lets the network in.")] = LOOPBACK,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="N", help="By default the first free one from 7860."),
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Photos to try; by default some are drawn.")
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Size of a file.")] = LIMITS.upload_mb,
    max_pixels: Annotated[
        int, typer.Option(min=1, metavar="MP", help="Megapixels of a photo or a frame.")
    ] = LIMITS.megapixels,
    max_clip: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="Length of a clip.")
    ] = LIMITS.clip_seconds,
    max_queue: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests that wait; further ones are turned away.")
    ] = LIMITS.queue,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Serve a web page: drop a photo or a clip, see its segments, move the thresholds, take the files.

    Programs reach the same model through the page's endpoint /predict. Ctrl+C ends it. Needs Gradio, which
    comes with the extra "web".

    Example: spatialflow serve --checkpoint tiny
    """
    check_gradio()
    free_port(host, port)  # before the model is loaded, which takes a while
    from spatialflow.checkpoints import load_model
    from spatialflow.inference import Predictor
    from spatialflow.precision import Precision, choose
    from spatialflow.web.server import serving

    choose(device, cast(Precision, precision))
    predictor = Predictor(load_model(checkpoint), device, cast(Precision, precision))
    limits = Limits(max_upload, max_pixels, max_clip, max_queue)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the same as Ctrl+C
    try:
        with serving(
            predictor, Path(checkpoint).name, host=host, port=port, examples=examples, limits=limits
        ) as address:
            for number in (signal.SIGINT, signal.SIGTERM):  # from here on, both let what is at work finish
                signal.signal(number, lambda *_: ended.set())
            say(f"running on {predictor.hardware}")
            if host not in _OWN:
                complain("warning", f"--host {host}: anybody on the network can use it", "bold yellow")
            say(f"serving on {address} (Ctrl+C ends it)")
            while not ended.wait(1):  # without a limit, Windows would not see Ctrl+C
                pass
    except KeyboardInterrupt:
        pass
    say("stopped")
