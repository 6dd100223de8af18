"""A page for this computer alone, and nobody else's script.

It listens on 127.0.0.1. Another site's page in the same browser is kept out too: a request must
name this server as its host (against DNS rebinding), and one that changes anything must show the
token that only the page knows (against cross-site request forgery).
"""

import json
import os
import re
import secrets
import shutil
import signal
import sys
import threading
import webbrowser
from abc import ABC, abstractmethod
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from animeprep.errors import AnimeprepError, UsageError
from animeprep.files import writing

MAX_BODY = 2**16
_CHUNK = 2**20
_ADDRESS = "127.0.0.1"
_JSON = "application/json"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "style-src 'nonce-{0}'; script-src 'nonce-{0}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Refusal(Exception):  # noqa: N818 - an answer rather than an error
    """A request that is not granted, and why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        self.status = status
        self.reason = reason


def nothing_here() -> Refusal:
    """What is said of an address that the page does not have."""
    return Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")


class Sent(BaseModel):
    """What a page sends; its fields and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read it from JSON; a `Refusal` names the field that is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = " ".join(str(part) for part in first["loc"])
            told = f"{where}: {first['msg']}" if where else first["msg"]
            raise Refusal(HTTPStatus.BAD_REQUEST, told) from error


class LocalServer(ThreadingHTTPServer):
    """Listens once it is made; `serve_forever` answers, a thread for each connection.

    Args:
        handler: answers.
        port: 0 takes a free one.

    Attributes:
        url: where the page is.
        token: what a request that changes anything must show.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(self, handler: type["LocalHandler"], port: int = 0) -> None:
        try:
            super().__init__((_ADDRESS, port), handler)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} cannot be had ({error}); name another, or 0 for a free one"
            ) from error
        self.url = f"http://{_ADDRESS}:{self.server_port}/"
        self.hosts = {f"{name}:{self.server_port}" for name in (_ADDRESS, "localhost")}
        self.token = secrets.token_urlsafe(32)

    def run(self, ready: Callable[[str], None], *, open_browser: bool) -> None:
        """Answer until Ctrl-C; `kill` ends it as tidily.

        Args:
            ready: called with the page's address when it can be opened.
            open_browser: open the page in the user's browser.
        """
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            ready(self.url)
            if open_browser:
                # Apart: a browser in the terminal would keep the server from answering it.
                threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()
            self.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over browsers that stop listening, as they do while one scrolls."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class LocalHandler(BaseHTTPRequestHandler, ABC):
    """Answers the requests of one connection; say what in `get`, `post` and `put`.

    Attributes:
        max_upload: bytes that `put` takes at most.
    """

    server: LocalServer
    max_upload = 0
    protocol_version = "HTTP/1.1"
    server_version = "animeprep"
    sys_version = ""
    timeout = 60

    @abstractmethod
    def get(self) -> None:
        """Answer a GET; a `Refusal` is told to the page."""

    @abstractmethod
    def post(self, body: bytes) -> None:
        """Answer a POST of JSON that showed the token; a `Refusal` is told to the page."""

    def put(self, length: int) -> None:  # noqa: ARG002 - for those who take files
        """Answer a PUT that showed the token; `receive` reads its body."""
        raise nothing_here()

    def do_GET(self) -> None:
        """Called by the base class."""
        self._answer(self.get)

    def do_POST(self) -> None:
        """Called by the base class."""
        self._answer(lambda: self.post(self._body()))

    def do_PUT(self) -> None:
        """Called by the base class."""
        self._answer(self._put)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's
        """Say nothing on the terminal."""

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            self._check_host()
            respond()
        except Refusal as refusal:
            self._decline(refusal.reason, refusal.status)
        except AnimeprepError as error:
            self._decline(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)

    def _decline(self, reason: str, status: HTTPStatus) -> None:
        # What was not read of the request would be taken for the next one.
        self.close_connection = True
        self.send_json({"error": reason}, status)

    def _check_host(self) -> None:
        if self.headers.get_all("Host") not in [[host] for host in self.server.hosts]:
            raise Refusal(HTTPStatus.FORBIDDEN, f"open {self.server.url}")

    def _body(self) -> bytes:
        self._check_token()
        if self.headers.get_content_type() != _JSON:
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {_JSON}")
        return self.rfile.read(self._length(MAX_BODY))

    def _put(self) -> None:
        self._check_token()
        self.put(self._length(self.max_upload))

    def _check_token(self) -> None:
        token = self.headers.get("X-Token", "").encode(errors="replace")
        if not secrets.compare_digest(token, self.server.token.encode()):
            raise Refusal(HTTPStatus.FORBIDDEN, "this page is of an earlier run: reload it")

    def _length(self, most: int) -> int:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]+", length):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "say how long it is")
        if len(length) > 15 or int(length) > most:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too long")
        return int(length)

    def receive(self, length: int, path: Path) -> None:
        """Write the body of a PUT to a file, a part at a time.

        Raises:
            Refusal: the browser stopped sending.
            OutputError: the file cannot be written.
        """
        with writing(path):
            file = path.open("wb", buffering=0)
        with file:
            while length:
                part = self.rfile.read(min(length, _CHUNK))
                if not part:
                    raise Refusal(HTTPStatus.BAD_REQUEST, "it did not come whole: send it again")
                with writing(path):
                    file.write(part)
                length -= len(part)

    def send_page(self, render: Callable[[str], str]) -> None:
        """Send HTML; `render` gets the nonce that its style and script must bear."""
        nonce = secrets.token_urlsafe(16)
        policy = {"Content-Security-Policy": _PAGE_POLICY.format(nonce)}
        body = render(nonce).encode(errors="replace")
        self.send(body, "text/html; charset=utf-8", headers=policy)

    def send_json(self, answer: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send an answer as JSON."""
        self.send(json.dumps(answer).encode(), _JSON, status)

    def send(
        self,
        body: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send bytes of a media type; `headers` replace the usual ones."""
        self._send_head(kind, len(body), status, headers or {})
        self.wfile.write(body)

    def send_file(self, path: Path, kind: str, headers: dict[str, str]) -> None:
        """Send a file as it is; a `Refusal` where it is gone."""
        try:
            file = path.open("rb")
        except OSError as error:
            raise Refusal(HTTPStatus.NOT_FOUND, "it is gone") from error
        with file:
            size = os.fstat(file.fileno()).st_size  # a page may be written anew meanwhile
            self._send_head(kind, size, HTTPStatus.OK, headers)
            shutil.copyfileobj(file, self.wfile, _CHUNK)

    def _send_head(
        self, kind: str, length: int, status: HTTPStatus, headers: dict[str, str]
    ) -> None:
        self.send_response(status)
        described = {"Content-Type": kind, "Content-Length": str(length)}
        for name, value in {**_HEADERS, **described, **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
