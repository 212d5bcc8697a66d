"""The server, over real connections."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from studies import Made, simulated

from lakhnes.runtime.errors import OutputError, StudyError
from lakhnes.study.making import read_data_js
from lakhnes.study.results import MAX_RESULT_BYTES, read_results
from lakhnes.study.server import StudyServer

STRENGTHS = {"people": 3.0, "machine": 2.0}
JSON = {"Content-Type": "application/json"}


class Client:
    def __init__(self, server: StudyServer) -> None:
        self.server = server

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(*self.server.server_address[:2], timeout=60)  # type: ignore[misc]
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read(), dict(reply.getheaders())
        finally:
            connection.close()


@pytest.fixture
def client(made: Made, tmp_path: Path) -> Iterator[Client]:
    with StudyServer(made.folder, tmp_path / "results", origin="https://example.org") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()


def content(made: Made, number: int, seed: int = 0) -> bytes:
    facts = simulated(made.key, number, STRENGTHS, np.random.default_rng(seed))
    return json.dumps(facts).encode()


def test_it_listens_to_this_computer_only(client: Client) -> None:
    assert client.server.server_address[0] == "127.0.0.1"


def test_the_page_is_served_and_posts_to_the_server(client: Client, made: Made) -> None:
    status, body, headers = client.ask("GET", "/")
    assert (status, body) == (200, (made.folder / "page/index.html").read_bytes())
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert read_data_js(client.ask("GET", "/data.js?x")[1])["send_to"] == "results"
    clip = next(iter(made.key.clips))
    whole = (made.folder / f"page/clips/{clip}.flac").read_bytes()
    status, body, headers = client.ask("GET", f"/clips/{clip}.flac", headers={"Range": "bytes=10-19"})
    assert (status, body, headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    assert client.ask("GET", f"/clips/{clip}.flac", headers={"Range": "bytes=-5"})[1] == whole[-5:]
    assert client.ask("GET", f"/clips/{clip}.flac", headers={"Range": "bytes=99999999-"})[0] == 416
    status, body, headers = client.ask("HEAD", f"/clips/{clip}.flac")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(whole)))


@pytest.mark.parametrize(
    "path",
    [
        "/key.json",
        "/../key.json",
        "/clips/../../key.json",
        "/%2e%2e/key.json",
        "//etc/passwd",
        "/clips/",
        "*",
    ],
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.ask("GET", path)[0] == 404


def test_results_are_kept_and_never_overwritten(client: Client, made: Made) -> None:
    folder = client.server.store.folder
    first = content(made, 1)
    assert client.ask("POST", "/results", first, JSON)[0] == 201
    assert client.ask("POST", "/results", first, JSON)[0] == 200, "the first reply may have been lost"
    other = content(made, 1, seed=5).replace(b"14.5", b"15.5")
    assert client.ask("POST", "/results", other, JSON)[0] == 409
    assert client.ask("POST", "/results", content(made, 2), JSON)[0] == 201
    assert {path.name for path in folder.iterdir()} == {"key.json", f"{1:032x}.json", f"{2:032x}.json"}
    assert (folder / f"{1:032x}.json").read_bytes() == first
    assert len(read_results(folder, made.key).results) == 2


def test_what_is_no_result_is_refused(client: Client, made: Made) -> None:
    good = content(made, 3)
    assert client.ask("POST", "/elsewhere", good, JSON)[0] == 404
    assert client.ask("POST", "/results", good, {"Content-Type": "text/plain"})[0] == 415
    assert client.ask("POST", "/results", b"", {**JSON, "Content-Length": "-1"})[0] == 411
    too_long = {**JSON, "Content-Length": str(MAX_RESULT_BYTES + 1)}
    assert client.ask("POST", "/results", b"", too_long)[0] == 413
    for bad in (b"{}", b"[", good.replace(f"{3:032x}".encode(), b"../../../x")):
        status, said, _ = client.ask("POST", "/results", bad, JSON)
        assert (status, b"Ask the listener" in said) == (400, True)
    assert client.ask("PUT", "/results", good, JSON)[0] == 501
    assert {path.name for path in client.server.store.folder.iterdir()} == {"key.json"}


def test_another_site_may_post_if_the_maker_allows_it(client: Client) -> None:
    status, _, headers = client.ask("OPTIONS", "/results")
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://example.org")


def test_a_folder_of_another_study_and_a_taken_port_are_refused(
    client: Client, made: Made, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    key = (made.folder / "key.json").read_text().replace(made.key.study, "0" * 16)
    (tmp_path / "other/key.json").write_text(key)
    with pytest.raises(StudyError, match="another study"):
        StudyServer(made.folder, tmp_path / "other")
    port = client.server.server_address[1]
    with pytest.raises(OutputError, match="Give another --port"):
        StudyServer(made.folder, tmp_path / "results", port=port)
    with pytest.raises(StudyError, match=r"key\.json"):
        StudyServer(tmp_path, tmp_path / "results")
