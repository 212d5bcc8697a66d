"""Session files: a zip of `session.json`, all that was set, and the notes.

The notes are in `song.mid`, one tick a sample, which other programs read as well. MIDI counts no more than
28 bits of ticks from one event to the next, 101 minutes of samples; a longer song is in `song.tx2.txt`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.bridge.midi_wrappers import parse_any
from lakhnes.bridge.nes_midi import score_from_nes_midi
from lakhnes.bridge.smf import BrokenFileError
from lakhnes.runtime import Event, FormatError, Kind, LakhnesError, OutputError, Score, Voice
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.events import MAX_SAMPLES, MAX_WAIT
from lakhnes.runtime.music.score import events_of_score
from lakhnes.runtime.music.texts import score_from_text
from lakhnes.studio.field_readers import readers_of
from lakhnes.studio.state import SongState, VoiceSettings, Whereabouts

FORMAT = "lakhnes-session"
VERSION = 1
"""Version of the format; it rises when older programs can no longer read a file."""

ENDING = ".lakhnes"

MAX_BYTES = 16 << 20
"""Largest file, and largest part of it when it is unpacked; a day of music takes less."""

_RECORD = "provenance"
_SETTINGS, _MIDI, _TEXT = "session.json", "song.mid", "song.tx2.txt"
_MIDI_SAMPLES = 1 << 28

_NOWHERE = Whereabouts()


def write_session(
    path: Path, state: SongState, whereabouts: Whereabouts = _NOWHERE, *, record: str = ""
) -> None:
    """Writes a state, whole or not at all.

    Args:
        path: the file.
        state: what is kept.
        whereabouts: its file, name and place.
        record: how the song was made, as `Provenance.to_text` says it; empty for nothing.

    Raises:
        OutputError: if it cannot be written, or the song is longer than a day.
    """
    write_whole(path, session_bytes(path, state, whereabouts, record=record))


def session_bytes(
    path: Path, state: SongState, whereabouts: Whereabouts = _NOWHERE, *, record: str = ""
) -> bytes:
    """Return a state as the content of a session file.

    Args:
        path: the file's name in errors.
        state: what is kept.
        whereabouts: its file, name and place.
        record: how the song was made; empty for nothing.

    Raises:
        OutputError: if the song is longer than a day.
    """
    if state.score.length > MAX_SAMPLES:
        raise OutputError(f"{path} cannot be written: the song is longer than a day. Start a new one.")
    settings: dict[str, Any] = {"format": FORMAT, "version": VERSION, "program": version("lakhnes")}
    settings |= {name: getattr(state, name) for name in _CHECKS}
    settings["voices"] = [asdict(voice) for voice in state.voices]
    settings["whereabouts"] = {name: value for name, value in asdict(whereabouts).items() if value}
    settings |= {_RECORD: record} if record else {}
    members = {_SETTINGS: json.dumps(settings, indent=1).encode()}
    if state.score.length < _MIDI_SAMPLES:
        members[_MIDI] = midi_bytes(state.score, MidiStyle.NES)
    else:
        members[_TEXT] = _text(state.score).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def read_session(path: Path) -> SongState:
    """Reads a state, as `read_song` does, without its whereabouts."""
    return read_song(path)[0]


def read_song(path: Path) -> tuple[SongState, Whereabouts]:
    """Reads a state and its whereabouts; whether its model is still there is not asked.

    Raises:
        FormatError: if the file is no session, broken, or of a newer version.
        OSError: if it cannot be opened.
    """
    with _opened(path) as archive:
        settings = _settings(path, _member(archive, _SETTINGS))
        given = {name: _value(path, name, value) for name, value in settings.items() if name in _CHECKS}
        voices = _voices(path, settings.get("voices", []))
        state = SongState(_score(archive), voices=voices, **given)
        return state, _whereabouts(path, settings.get("whereabouts", {}))


def read_record(path: Path) -> str:
    """Return how a song was made, as `Provenance.from_text` reads it; empty if the file does not say.

    Raises:
        FormatError: if the file is no session, broken, or of a newer version.
        OSError: if it cannot be opened.
    """
    with _opened(path) as archive:
        return str(_settings(path, _member(archive, _SETTINGS)).get(_RECORD, ""))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a session; whatever a broken archive, JSON or MIDI gives rise to becomes one error."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("larger than any session")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    except (LakhnesError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise FormatError(path, f"not a session, or a broken one ({reason}); open another file") from error


def checked(name: str, value: Any) -> Any:
    """Return the value of a field of `SongState` from a file, checked.

    Raises:
        ValueError: with what is expected.
    """
    return _CHECKS[name](value)


def _text(score: Score) -> str:
    """Return a score as a text, with waits that a text may hold."""
    lines: list[str] = []
    for event in events_of_score(score, expression=True):
        value = event.value
        while event.kind is Kind.WAIT and value > MAX_WAIT:
            lines.append(str(Event(Kind.WAIT, None, MAX_WAIT)))
            value -= MAX_WAIT
        lines.append(str(event._replace(value=value)))
    return "\n".join(lines)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; at most the limit is read, whatever size it claims."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it has no {name}") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its {name} is packed in an unknown way")
    with archive.open(info) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"its {name} is too large")
    return data


def _settings(path: Path, data: bytes) -> dict[str, Any]:
    try:
        settings = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"its {_SETTINGS} cannot be read") from None
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise ValueError(f"its {_SETTINGS} is of something else")
    number = settings.get("version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"its version is {number!r}")
    if number > VERSION:
        raise FormatError(
            path, f"it was saved by a newer lakhnes (session version {number}); update lakhnes to open it"
        )
    return settings


def _score(archive: zipfile.ZipFile) -> Score:
    if _MIDI not in archive.namelist() and _TEXT in archive.namelist():
        try:
            return score_from_text(_member(archive, _TEXT), _TEXT)
        except FormatError as error:
            raise ValueError(f"its {error}") from None
    try:
        score = score_from_nes_midi(parse_any(_member(archive, _MIDI)))
    except BrokenFileError as error:
        raise ValueError(f"its {_MIDI}: {error}") from None
    if score is None or score.length > MAX_SAMPLES:
        raise ValueError(f"its {_MIDI} is not as lakhnes writes it")
    return score


def _value(path: Path, name: str, value: Any) -> Any:
    try:
        return _CHECKS[name](value)
    except ValueError as error:
        raise _wrong(path, name, value, error) from None


def _voices(path: Path, given: Any) -> tuple[VoiceSettings, VoiceSettings, VoiceSettings, VoiceSettings]:
    if not isinstance(given, list) or len(given) not in (0, len(Voice)):
        raise _wrong(path, "voices", given, "a list of four is expected")
    voices = list(SongState().voices)
    for place, settings in enumerate(given):
        if not isinstance(settings, dict):
            raise _wrong(path, "voices", settings, "an object is expected")
        values: dict[str, Any] = asdict(voices[place])
        for name in settings.keys() & _VOICE_CHECKS.keys():
            try:
                values[name] = _VOICE_CHECKS[name](settings[name])
            except ValueError as error:
                raise _wrong(path, f"{name} of {Voice(place).name}", settings[name], error) from None
        voices[place] = VoiceSettings(**values)
    return voices[0], voices[1], voices[2], voices[3]


def _whereabouts(path: Path, given: Any) -> Whereabouts:
    if not isinstance(given, dict):
        raise _wrong(path, "whereabouts", given, "an object is expected")
    values = {}
    for name in given.keys() & _WHEREABOUTS_CHECKS.keys():
        try:
            values[name] = _WHEREABOUTS_CHECKS[name](given[name])
        except ValueError as error:
            raise _wrong(path, f"{name} of the whereabouts", given[name], error) from None
    return Whereabouts(**values)


def _wrong(path: Path, name: str, value: Any, expected: object) -> FormatError:
    return FormatError(
        path, f"in its {_SETTINGS}, {name} is {value!r:.40}, but {expected}; open another file"
    )


_CHECKS = readers_of(SongState)
_VOICE_CHECKS = readers_of(VoiceSettings)
_WHEREABOUTS_CHECKS = readers_of(Whereabouts)

__all__ = [
    "ENDING",
    "MAX_BYTES",
    "VERSION",
    "checked",
    "read_record",
    "read_session",
    "read_song",
    "session_bytes",
    "write_session",
]
