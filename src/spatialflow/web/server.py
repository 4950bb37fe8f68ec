"""Start the page, and end it without leaving anything behind."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatialflow.errors import ConfigError
from spatialflow.inference import Predictor
from spatialflow.web.actions import Actions
from spatialflow.web.engine import Engine
from spatialflow.web.examples import example_photos
from spatialflow.web.headers import OwnSources
from spatialflow.web.limits import LIMITS, Limits
from spatialflow.web.page import build_page, look_and_feel
from spatialflow.web.ready import LOOPBACK, check_gradio, free_port
from spatialflow.web.uploads import OnlyUploads

_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ALLOWED_PATHS": "",  # whatever another program of the user's may share
}
_ATTEMPTS = 5
"""To find a port that nobody else takes meanwhile."""


@contextlib.contextmanager
def serving(
    predictor: Predictor,
    model_name: str,
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    examples: Path | None = None,
    limits: Limits = LIMITS,
) -> Iterator[str]:
    """Serve the page while the block runs; yields its address.

    Args:
        predictor: the model.
        model_name: shown on the page.
        host: address to bind to; only this machine reaches 127.0.0.1.
        port: see :func:`free_port`.
        examples: folder of pictures to try; by default some are drawn.
        limits: what visitors may send.

    Raises:
        ConfigError: Gradio is not installed, or the port is in use or cannot be had.
        DataError: the folder of examples holds no photo.
    """
    check_gradio()
    free_port(host, port)  # an error is to come before anything is made
    with _own_folder() as folder:
        actions = Actions(Engine(predictor), limits, folder)
        page = build_page(actions, model_name, example_photos(examples, folder))
        try:
            yield _launch_on_free_port(page, host, port, folder, limits)
        finally:
            actions.engine.end()
            page.close(verbose=False)


def _launch_on_free_port(page: Any, host: str, port: int | None, folder: Path, limits: Limits) -> str:
    """See :func:`_launch`; looks again where another program was quicker, such as this one, started twice."""
    for _ in range(_ATTEMPTS):
        chosen = free_port(host, port)
        with contextlib.suppress(OSError):  # Gradio's word for a port in use
            return _launch(page, host, chosen, folder, limits)
    raise ConfigError(f"--port {chosen}: cannot be served on, though it seems free; choose another")


def _launch(page: Any, host: str, port: int, folder: Path, limits: Limits) -> str:
    from starlette.middleware import Middleware

    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        inbrowser=False,
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        num_workers=0,  # processes that would hand out files without our middleware
        pwa=False,
        footer_links=[],
        _frontend=False,  # else it gives up if the page takes 3 s to answer, on a busy machine
        max_file_size=f"{limits.upload_mb}mb",
        app_kwargs={"middleware": [Middleware(OwnSources), Middleware(OnlyUploads, folder=folder)]},
        **look_and_feel(),
    )
    return str(address)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder for all that Gradio writes, removed at the end; and what its surroundings should tell it."""
    from gradio import routes

    folder = Path(tempfile.mkdtemp(prefix="spatialflow-serve-"))
    wanted = {**_ENVIRONMENT, "GRADIO_TEMP_DIR": str(folder)}
    before = {name: os.environ.get(name) for name in wanted}
    theirs = routes.DEFAULT_TEMP_DIR  # read from the environment only once, when Gradio is loaded
    os.environ.update(wanted)
    try:
        routes.DEFAULT_TEMP_DIR = str(folder)  # each page makes a folder in it
        yield folder
    finally:
        routes.DEFAULT_TEMP_DIR = theirs
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for _ in range(20):  # a thread of Gradio may still be writing
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)
