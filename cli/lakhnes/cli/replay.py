"""`lakhnes replay`: compose a file again by its own record."""

from __future__ import annotations

import json
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakhnes.cli.options import JsonFlag, MaybeOutputs, NoProvenanceFlag
from lakhnes.cli.printing import say
from lakhnes.cli.provenance import TASKS, FileArgument

if TYPE_CHECKING:
    from lakhnes.runtime import Part, Provenance, Score

_REPLAYED = ("generate", "continue", "accompany")
_COMPARED = (".mid", ".midi", ".vgm", ".vgz", ".nsf", ".nsfe", ".ftm.txt", ".fms.txt")
"""Endings of files whose notes are read and compared."""

_NEAR_SAMPLES = 100  # a console writes later where its program has more to do

SongNumber = Annotated[int, typer.Option("--song", help="Number of the song in an NSF file.", min=1, max=256)]


def replay(
    context: typer.Context,
    file: FileArgument,
    output: MaybeOutputs = None,
    kept: Annotated[
        Path | None,
        typer.Option("--kept", readable=False, help="The file whose music was kept, if there was one."),
    ] = None,
    song: SongNumber = 1,
    model: Annotated[
        str | None,
        typer.Option(help="Name or folder of the model. Default: the model of the same name."),
    ] = None,
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compose a file again with its own settings, and say whether the notes are the same.

    The exit code is 1 if they are not.
    """
    from lakhnes.studio.file_names import check_outputs

    outputs = output or []
    check_outputs(outputs, file)
    record = _record(file, song)
    path, reasons = _model(record, model)
    _check_kept(record, kept)
    command = context.find_root().command.commands[record.task]  # type: ignore[attr-defined]
    words = [] if kept is None else [str(kept)]
    words += ["--model", str(path), *_words(file, record, command)]
    words += ["--no-provenance"] if no_provenance else []
    with tempfile.TemporaryDirectory() as folder:
        again = _Again(file, song, record, Path(folder))
        again.compose(command, words, outputs)
        same, sentence = again.compare(reasons)
    files = [str(one) for each in outputs for one in _pieces(record, each)]
    if as_json:
        say(json.dumps({"same": same, "reason": sentence, "files": files}))
    else:
        say(sentence)
        if files:
            say(f"wrote {', '.join(files)}")
    if not same:
        raise typer.Exit(1)


def _record(file: Path, song: int) -> Provenance:
    """Return the record of a song that can be composed again.

    Raises:
        MusicError: if it cannot be.
    """
    from lakhnes.runtime import GAME_PIECES, FormatError, MusicError, OptionError
    from lakhnes.studio.records import read_records

    records = read_records(file)
    if song > len(records):
        raise OptionError(f"{file} has {len(records)} songs; give --song 1 to {len(records)}.")
    record = records[song - 1]
    if record is None:
        raise MusicError(f"Song {song} of {file} does not say how it was made; give another with --song.")
    if record.piece not in ("", *GAME_PIECES):
        raise FormatError(file, f"its record has an unknown piece {record.piece!r}; update lakhnes")
    if record.task not in _REPLAYED:
        edited = f" and edited {record.edits} times by hand" if record.edits else ""
        how = TASKS.get(record.task, "made by a command that this lakhnes does not know")
        raise MusicError(
            f"{file} was {how}{edited}, so its settings alone do not bring it back. `lakhnes provenance` "
            "prints what is known."
        )
    return record


def _model(record: Provenance, given: str | None) -> tuple[Path, list[str]]:
    """Return the model's file, and reasons for other notes so far.

    Raises:
        ModelError: if there is no such model.
    """
    from importlib.metadata import version

    from lakhnes.runtime import ModelError, file_sha256, find_model
    from lakhnes.runtime.model.catalog import named_model

    path = named_model(record.model) if given is None else find_model(given)
    if path is None:
        raise ModelError(
            f"It was composed by the model {record.model!r}, which is not here; give its folder with --model."
        )
    reasons = []
    own = version("lakhnes")
    if record.lakhnes != own:
        reasons.append(f"lakhnes {record.lakhnes or 'of an unknown version'} composed it, and this is {own}")
    if file_sha256(path) != record.model_sha256:
        reasons.append(
            f"the model is another one (its file should have SHA-256 {record.model_sha256 or 'unknown'})"
        )
    return path, reasons


def _check_kept(record: Provenance, kept: Path | None) -> None:
    """Refuse a kept file that is missing, not needed or another one."""
    from lakhnes.runtime import MusicError, OptionError, file_sha256

    if not record.kept:
        if kept is not None:
            raise OptionError("No music of another file was kept; leave out --kept.")
        return
    if kept is None:
        raise MusicError(
            f"Music of another file was kept. Give that file with --kept; its SHA-256 is {record.kept[0]}."
        )
    if file_sha256(kept) not in record.kept:
        raise MusicError(f"{kept} is not the file that was kept, whose SHA-256 is {record.kept[0]}.")


def _words(file: Path, record: Provenance, command: Any) -> list[str]:
    """Return the options of a record as words of its command.

    Raises:
        FormatError: if the command does not have one of them.
    """
    from lakhnes.cli.recording import option_names
    from lakhnes.runtime import FormatError

    names = option_names(command)
    flags = {one.name: one.is_flag for one in command.params if one.name in names.values()}
    words = ["--seed", str(record.seed)]
    for name, given in record.settings.items():
        for value in given if isinstance(given, tuple) else (given,):
            if name not in names or flags[names[name]] is not isinstance(value, bool) or value is False:
                told = f"its record has the setting {name!r}, which lakhnes {record.task} cannot take"
                raise FormatError(file, f"{told}; update lakhnes")
            words.append(f"--{name}" if value is True else f"--{name}={value}")
    return words


def _pieces(record: Provenance, path: Path) -> list[Path]:
    """Return the files that a command writes for an output."""
    from lakhnes.runtime import GAME_PIECES
    from lakhnes.studio.file_names import named

    return list(dict.fromkeys(named(path, piece) for piece in GAME_PIECES)) if record.piece else [path]


@dataclass(frozen=True, slots=True)
class _Again:
    """A piece that is composed again, and compared with its file."""

    file: Path
    song: int
    """Number of the song in the file, from 1."""
    record: Provenance
    folder: Path
    """For temporary files."""

    def compose(self, command: Any, words: list[str], outputs: list[Path]) -> None:
        """Run the command of the record again.

        Args:
            command: the command.
            words: its arguments and options, without its outputs.
            outputs: files that are wanted.

        Raises:
            FormatError: if the command refuses a setting.
        """
        from lakhnes.runtime import FormatError, OptionError

        files = [*outputs, self._exact, *([] if self._alike is None else [self._alike])]
        try:
            with redirect_stdout(StringIO()):
                command.main([*words, *(f"--output={file}" for file in files)], standalone_mode=False)
        except (typer.BadParameter, OptionError) as error:
            raise FormatError(self.file, f"its record cannot be used ({str(error).rstrip('.')})") from error

    def compare(self, reasons: list[str]) -> tuple[bool, str]:
        """Return whether the notes are the same, and a sentence on it.

        Args:
            reasons: why they may not be.
        """
        from lakhnes.runtime import notes_sha256, read_text

        if notes_sha256(read_text(self._own(self._exact))) != self.record.notes:
            why = " and ".join(reasons) or "this machine rounds differently, or the record was changed"
            return False, f"The notes are not those of {self.file}: {why}."
        if self._alike is None:
            return True, f"The notes are the same as those that {self.file} was made of."
        if not _same(_notes(self.file, self.song), _notes(self._own(self._alike), self._number)):
            return False, f"The same notes were composed again, but {self.file} was changed since."
        return True, f"The notes are the same as those of {self.file}."

    @property
    def _exact(self) -> Path:
        """File that holds every note exactly."""
        return self.folder / "again.tx2.txt"

    @property
    def _alike(self) -> Path | None:
        """File in the format of the old one; None if its notes cannot be compared."""
        from lakhnes.studio.file_names import name_of

        ending = self.file.name[len(name_of(self.file)) :].lower()
        return self.folder / f"again{ending}" if ending in _COMPARED and not self.record.converted else None

    @property
    def _number(self) -> int:
        """Number of the song in the new file."""
        from lakhnes.runtime import GAME_PIECES

        return GAME_PIECES.index(self.record.piece) + 1 if self.record.piece else 1

    def _own(self, path: Path) -> Path:
        from lakhnes.studio.file_names import named

        return named(path, self.record.piece) if self.record.piece else path


def _notes(path: Path, song: int) -> Score:
    """Return the notes of a song of a file."""
    from lakhnes.studio.file_names import is_album
    from lakhnes.studio.music_files import read_music

    return read_music(path, song=song if is_album(path) else None).score()[0]


def _same(one: Score, other: Score) -> bool:
    """Return whether two scores have the same notes and changes, within a console's accuracy."""
    return _near(one.length, other.length) and all(map(_same_part, one.parts, other.parts))


def _same_part(one: Part, other: Part) -> bool:
    if len(one.notes) != len(other.notes) or len(one.changes) != len(other.changes):
        return False
    notes = zip(one.notes, other.notes, strict=True)
    changes = zip(one.changes, other.changes, strict=True)
    return all(
        (a.pitch, a.velocity) == (b.pitch, b.velocity) and _near(a.onset, b.onset) and _near(a.end, b.end)
        for a, b in notes
    ) and all((a.kind, a.value) == (b.kind, b.value) and _near(a.sample, b.sample) for a, b in changes)


def _near(one: int, other: int) -> bool:
    return abs(one - other) <= _NEAR_SAMPLES
