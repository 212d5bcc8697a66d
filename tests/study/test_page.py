"""The page in a real browser: by mouse and by keyboard, from a server and from the disk."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, program
from studies import Made

from lakhnes.study.results import exclusion, parse_result, read_results
from lakhnes.study.server import StudyServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed"),
]

ENOUGH = "[...document.querySelectorAll('.clip progress')].every((bar) => bar.value >= bar.max)"


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Browser]:
    """A window as narrow as a telephone."""
    browser = Browser(tmp_path / "browser", width=375, height=667)
    yield browser
    browser.close()


@pytest.fixture
def server(made: Made, tmp_path: Path) -> Iterator[StudyServer]:
    with StudyServer(made.folder, tmp_path / "results") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def right_choice(browser: Browser, made: Made) -> int:
    """Which choice a careful listener takes: the tone in a check, else the first clip."""
    values = browser.run("[...document.querySelectorAll('#ask-choice input')].map((input) => input.value)")
    answers = {trial.answer for trial in made.key.trials}
    return next((place for place, clip in enumerate(values) if clip in answers), 0)


def fits(browser: Browser) -> bool:
    return bool(browser.run("document.documentElement.scrollWidth <= innerWidth"))


def position(number: int) -> str:
    return f"document.querySelector('#position')?.textContent.startsWith('Question {number} ')"


def test_a_listener_clicks_through_and_the_result_arrives(
    phone: Browser, server: StudyServer, made: Made
) -> None:
    phone.open(f"http://127.0.0.1:{server.server_address[1]}/")
    assert fits(phone)
    phone.click("#begin")
    for number in range(1, len(made.key.trials) + 1):
        phone.wait(position(number))
        assert fits(phone)
        assert phone.run("document.querySelector('#next').disabled")
        for name in phone.run("[...document.querySelectorAll('.clip button')].map((button) => button.id)"):
            phone.click(f"#{name}")
            phone.wait(f"document.querySelector('#{name}').nextSibling.value >= 1")
        if phone.run("document.querySelector('#ask-choice') !== null"):
            phone.click(f"#ask-choice label:nth-child({right_choice(phone, made) + 1})")
        else:
            for aspect in ("melody", "harmony", "rhythm", "structure"):
                phone.click(f"#ask-{aspect} label:nth-child(4)")
        phone.click("#next")
    phone.wait("document.querySelector('#sent')?.textContent.includes('has arrived')")
    assert fits(phone)
    assert phone.errors == []
    found = read_results(server.store.folder, made.key)
    assert (len(found.results), found.excluded) == (1, {})


def test_the_keyboard_and_the_disk_are_enough_and_a_reload_loses_nothing(phone: Browser, made: Made) -> None:
    phone.open((made.folder / "page/index.html").as_uri())
    phone.press("Tab")
    assert phone.run("document.activeElement.id") == "begin"
    phone.press("Enter")
    for number in range(1, len(made.key.trials) + 1):
        phone.wait(position(number))
        assert phone.run("document.activeElement.tagName") == "H1"
        phone.press("a")
        phone.wait("document.querySelector('.clip progress').value >= 1")
        if phone.run("document.querySelectorAll('.clip').length") == 2:
            phone.press("b")
        phone.wait(ENOUGH)
        if phone.run("document.querySelector('#ask-choice') !== null"):
            phone.press(str(right_choice(phone, made) + 1))
        else:
            for key in "2345":
                phone.press(key)
        phone.press("Enter")
        if number == 2:
            phone.wait(position(3))
            phone.call("Page.reload")
    phone.wait("document.querySelector('#download') !== null")
    assert phone.run("document.querySelector('#send')") is None
    text = phone.run("fetch(document.querySelector('#download').href).then((reply) => reply.text())")
    result = parse_result(text.encode(), made.key, "the download")
    assert exclusion(result, made.key) is None
    assert phone.errors == []
    rated = [answer.ratings for answer in result.answers.values() if answer.ratings]
    assert rated == [{"melody": 2, "harmony": 3, "rhythm": 4, "structure": 5}] * 2
    assert json.loads(text)["finished"] > json.loads(text)["started"]
