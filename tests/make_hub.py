"""A Hugging Face Hub of one process: models in memory, the few addresses that our use of it needs."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What it holds, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        """By the model's name."""
        self.private: set[str] = set()
        """Names of models that only a token opens."""
        self.read_only = False
        self.asked: list[str] = []
        self.tokens: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Nothing: tests are quiet."""

    def do_HEAD(self) -> None:  # the server's name for it
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        self.hub.tokens.append(self.headers.get("authorization"))
        found = re.fullmatch(r"/(.+/.+)/resolve/([^/]+)/(.+)", self.path)
        if (
            found is None
        ):  # the front page, and what there is to know of a model, which nobody asked for so far
            return self._send(200 if self.path == "/" else 404, b"")
        name, revision, file = found.groups()
        if name not in self.hub.files or (name in self.hub.private and not self.headers.get("authorization")):
            return self._send(401, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", "v1", COMMIT):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if file not in self.hub.files[name]:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        content = self.hub.files[name][file]
        return self._send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{hash(content):x}"'})

    def do_POST(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.hub.read_only:
            return self._send(403, b"{}")
        if self.path == "/api/repos/create":
            name = json.loads(body)["name"]
            owner = json.loads(body).get("organization") or "somebody"
            self.hub.files.setdefault(f"{owner}/{name}", {})
            return self._send_json({"url": f"http://{self.headers['host']}/{owner}/{name}"})
        if self.path.endswith("/preupload/main"):
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self._send_json({"files": files})
        found = re.fullmatch(r"/api/models/(.+)/commit/main", self.path)
        if found:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.hub.files[found[1]][line["value"]["path"]] = content
            url = f"http://{self.headers['host']}/{found[1]}/commit/{COMMIT}"
            return self._send_json({"commitUrl": url, "commitOid": COMMIT})
        return self._send_json({"errors": [], "warnings": []})  # of the card's metadata

    def _send_json(self, content: Any) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def running_hub(patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that the library takes for the real one."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        point_to(patch, f"http://127.0.0.1:{server.server_port}")
        yield hub
        server.shutdown()
        thread.join()


def point_to(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let the library take this address for that of the Hub."""
    patch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
