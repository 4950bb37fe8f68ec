"""``spatialflow serve`` as a program."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from make_cli import Command
from spatialflow.errors import ConfigError
from spatialflow.web.ready import free_port


@pytest.mark.slow
def test_program_serves_and_ends_cleanly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "spatialflow", "serve", "-c", "tiny", "--port", str(port)]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "GRADIO_SHARE": "1"}
    environment |= {"GRADIO_NUM_WORKERS": "1", "GRADIO_ALLOWED_PATHS": "/etc"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            assert re.fullmatch(r"running on cpu .*\n", lines[0])
            assert lines[1] == f"serving on http://127.0.0.1:{port}/ (Ctrl+C ends it)\n"
            page = httpx.get(f"http://127.0.0.1:{port}/").text
            assert "Panoptic segmentation: every pixel gets a class" in page
            assert httpx.get(f"http://127.0.0.1:{port}/gradio_api/file=/etc/passwd").status_code == 403
            assert list(tmp_path.glob("spatialflow-serve-*"))
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert process.stdout.read() == "stopped\n"
            assert process.stderr.read() == ""
        finally:
            process.kill()
    assert list(tmp_path.glob("spatialflow-serve-*")) == []


def test_a_port_in_use_is_told_at_once(spatialflow: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = spatialflow("serve", "-c", "none.safetensors", "--port", port)
    assert (code, out) == (2, "")
    assert err == (
        f"error: --port {port}: is in use; choose another, or leave --port out for the next free one\n"
    )


def test_a_port_that_is_taken_while_the_model_is_read(tmp_path: Path) -> None:
    routes = pytest.importorskip("gradio.routes", reason="needs the extra web")
    from make_web import serve_tiny

    with socket.socket() as taken, pytest.MonkeyPatch.context() as patch:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        seen = [port]  # as free, by the first look
        patch.setattr("spatialflow.web.server.free_port", lambda *a: seen.pop() if seen else free_port(*a))
        patch.setattr("tempfile.tempdir", str(tmp_path))
        theirs = str(tmp_path / "gradio")  # what Gradio would fill
        patch.setattr(routes, "DEFAULT_TEMP_DIR", theirs)
        with serve_tiny() as site:
            assert httpx.get(site.url).status_code == 200
        seen.append(port)
        with pytest.raises(ConfigError, match=f"^--port {port}: is in use"), serve_tiny(port=port):
            pass
        assert theirs == routes.DEFAULT_TEMP_DIR  # other pages of the process have it back
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_of_no_network_here_is_told(spatialflow: Command, host: str) -> None:
    code, out, err = spatialflow("serve", "-c", "tiny", "--host", host)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: --host {host}: .*; try 127\.0\.0\.1\n", err)


def test_a_missing_extra_is_told(spatialflow: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialflow.web.ready.util.find_spec", lambda name: None)
    code, out, err = spatialflow("serve", "-c", "tiny")
    assert (code, out) == (2, "")
    assert err == 'error: serve: Gradio is not installed; run: pip install "spatialflow[web]"\n'


def test_a_folder_of_examples_without_photos_is_told(spatialflow: Command, tmp_path: Path) -> None:
    code, _, err = spatialflow("serve", "-c", "tiny", "--examples", tmp_path)
    assert code == 2
    assert f"error: {tmp_path}: the folder holds no photos" in err
