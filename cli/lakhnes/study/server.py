"""A small server for a study: it serves the page, and keeps each result in a file of its own.

It serves the files that the study had at its start, and nothing else: no path of a request reaches the disk.
A result is checked as a report would check it. Its file is named by the listener's number, and is never
overwritten.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any

from lakhnes.runtime.errors import LakhnesError, OutputError, StudyError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.reading import read_at_most, reading, reason_of
from lakhnes.study.key import KEY_FILE, StudyKey, read_key
from lakhnes.study.making import DATA_FILE, PAGE_FOLDER, data_js, read_data_js
from lakhnes.study.results import MAX_RESULT_BYTES, MAX_RESULTS, parse_result

RESULTS_PATH = "/results"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".flac": "audio/flac",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)
_MOST_CONNECTIONS = 64
_MAX_DATA_BYTES = 4 << 20
_TIMEOUT_SECONDS = 30


@dataclass(slots=True)
class ResultStore:
    """A folder that results are added to."""

    folder: Path
    key: StudyKey
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Lay the key into the folder, so that the report finds it.

        Raises:
            StudyError: if the folder belongs to another study.
        """
        path = self.folder / KEY_FILE
        if path.exists():
            if read_key(path).study != self.key.study:
                raise StudyError(f"{self.folder} holds results of another study. Give another folder.")
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, self.key.to_json())

    def __len__(self) -> int:
        return sum(path.name != KEY_FILE for path in self.folder.glob("*.json"))

    def add(self, content: bytes) -> HTTPStatus:
        """Add a result. The same result may come twice, if its first reply was lost.

        Returns:
            CREATED; OK if it was here; CONFLICT if the listener has another; INSUFFICIENT_STORAGE if the
            folder is full.

        Raises:
            LakhnesError: if it is no result of the study, or cannot be written.
        """
        path = self.folder / f"{parse_result(content, self.key, 'The result').listener}.json"
        with self._lock:
            if path.exists():
                return HTTPStatus.OK if path.read_bytes() == content else HTTPStatus.CONFLICT
            if len(self) >= MAX_RESULTS:
                return HTTPStatus.INSUFFICIENT_STORAGE
            write_whole(path, content)
            return HTTPStatus.CREATED


class StudyServer(ThreadingHTTPServer):
    """Serves a study until `shutdown`."""

    daemon_threads = True

    def __init__(
        self,
        study: Path,
        results: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        origin: str | None = None,
        arrived: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Open the port.

        Args:
            study: folder that `make_study` wrote.
            results: folder of the results; it is made.
            host: address to listen on; the default is reached from this computer only.
            port: TCP port; 0 for any free one.
            origin: other site whose page may post results, such as `https://example.org`.
            arrived: takes the number of results after each new one.

        Raises:
            StudyError: if the folder is no study.
            OutputError: if the address cannot be used.
        """
        key = read_key(study / KEY_FILE)
        self.files = _page_files(study / PAGE_FOLDER)
        self.store = ResultStore(results, key)
        self.origin = origin
        self.arrived = arrived
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        try:
            super().__init__((host, port), StudyHandler)
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"{host} port {port} cannot be used: {reason_of(error)}. Give another --port, or the --host "
                "127.0.0.1."
            ) from None

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve a connection, or close it if too many are open."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Ignore a connection that breaks: the listener's browser disappeared."""


def _page_files(page: Path) -> dict[str, tuple[str, bytes | Path]]:
    """Return type and content of every file of a page by its address; the results are posted to this server.

    Raises:
        StudyError: if it is no page.
    """
    with reading(page, StudyError, "Give the folder that `lakhnes study make` wrote."):
        files: dict[str, tuple[str, bytes | Path]] = {
            f"/{path.relative_to(page).as_posix()}": (_TYPES[path.suffix], path)
            for path in page.rglob("*")
            if path.suffix in _TYPES and path.is_file() and not path.is_symlink()
        }
        data = read_data_js(read_at_most(page / DATA_FILE, _MAX_DATA_BYTES))
        data["send_to"] = RESULTS_PATH.removeprefix("/")
        files[f"/{DATA_FILE}"] = (_TYPES[".js"], data_js(data))
        files["/"] = files["/index.html"]
        return files


class StudyHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: StudyServer
    server_version, sys_version = "lakhnes", ""
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Send a file, or the part that a player asks for."""
        self._send_file(with_body=True)

    def do_HEAD(self) -> None:
        """Send the headers of a file."""
        self._send_file(with_body=False)

    def do_OPTIONS(self) -> None:
        """Allow the page of another site to post, if the maker allows that site."""
        self._reply(HTTPStatus.NO_CONTENT)

    def do_POST(self) -> None:
        """Keep a result."""
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        self.close_connection = True  # an unread body must not become the next request
        if self._address() != RESULTS_PATH:
            self._reply(HTTPStatus.NOT_FOUND)
        elif kind != "application/json":  # a form of any other site could send another type unasked
            self._reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif not re.fullmatch(r"\d{1,15}", length, re.ASCII):
            self._reply(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > MAX_RESULT_BYTES:
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._keep(self.rfile.read(int(length)))

    def _keep(self, content: bytes) -> None:
        try:
            status = self.server.store.add(content)
        except OutputError:
            self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, "The server cannot write the result.")
            return
        except LakhnesError as error:
            self._reply(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._reply(status)
        if status is HTTPStatus.CREATED:
            self.server.arrived(len(self.server.store))

    def _address(self) -> str:
        return self.path.partition("?")[0]

    def _send_file(self, *, with_body: bool) -> None:
        kind, file = self.server.files.get(self._address(), ("", b""))
        if not kind:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        try:
            content = file if isinstance(file, bytes) else file.read_bytes()
        except OSError:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        extra = {"Accept-Ranges": "bytes"}
        status, asked = HTTPStatus.OK, _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked and any(asked.groups()):
            size = len(content)
            first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
            last = min(size - 1, int(asked[2])) if asked[1] and asked[2] else size - 1
            if first > last:
                self._reply(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                return
            extra["Content-Range"] = f"bytes {first}-{last}/{size}"
            status, content = HTTPStatus.PARTIAL_CONTENT, content[first : last + 1]
        self._headers(status, kind, len(content), extra)
        if with_body:
            self.wfile.write(content)

    def _reply(self, status: HTTPStatus, text: str = "") -> None:
        body = b"" if status is HTTPStatus.NO_CONTENT else (text or status.phrase).encode()
        self._headers(status, "text/plain; charset=utf-8", len(body), {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _headers(self, status: HTTPStatus, kind: str, length: int, extra: dict[str, str]) -> None:
        self.send_response(status)
        if self.server.origin is not None:
            extra = extra | {
                "Access-Control-Allow-Origin": self.server.origin,
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Content-Type",
                "Vary": "Origin",
            }
        for name, value in (_HEADERS | extra | {"Content-Type": kind, "Content-Length": str(length)}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log: it would hold the addresses of listeners."""
