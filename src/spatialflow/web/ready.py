"""What must be so before the page is served, seen before anything large is loaded."""

import errno
import socket
from importlib import util

from spatialflow.errors import ConfigError

FIRST_PORT, PORTS_TRIED = 7860, 100
LOOPBACK = "127.0.0.1"


def check_gradio() -> None:
    """See that the extra is installed.

    Raises:
        ConfigError: it is not.
    """
    if util.find_spec("gradio") is None:
        raise ConfigError('serve: Gradio is not installed; run: pip install "spatialflow[web]"')


def free_port(host: str, port: int | None) -> int:
    """The port to serve on.

    Args:
        host: address to bind to.
        port: the one that is wanted; by default the first free one from 7860.

    Raises:
        ConfigError: the host is none of this machine's, or the port is in use.
    """
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else (port,):
        try:
            family = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((host, candidate))
        except socket.gaierror as error:
            raise ConfigError(f"--host {host}: is no address ({error.strerror}); try {LOOPBACK}") from error
        except PermissionError as error:
            raise ConfigError(f"--port {candidate}: needs more rights; choose one from 1024") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"--host {host}: {error.strerror}; try {LOOPBACK}") from error
            continue
        return candidate
    if port is None:
        raise ConfigError(f"--port: none of {FIRST_PORT}..{FIRST_PORT + PORTS_TRIED - 1} is free; give one")
    raise ConfigError(f"--port {port}: is in use; choose another, or leave --port out for the next free one")
