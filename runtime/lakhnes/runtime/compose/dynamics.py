"""Dynamics and timbre for existing notes, composed by a model that knows them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from operator import attrgetter

from lakhnes.runtime.compose.arrange import Arrangement
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.composer import Composer
from lakhnes.runtime.decode.kept import Dynamics
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import ModelError, MusicError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import fit_to_vocabulary
from lakhnes.runtime.music.events import Kind
from lakhnes.runtime.music.score import Change, Note, Part, Score
from lakhnes.runtime.music.timing import FreeTime, free_time
from lakhnes.runtime.time.model_time import SongTime


def compose_dynamics(model: Model, score: Score, request: Request) -> Arrangement:
    """Keep all notes of a score, and compose their volumes and timbres.

    Args:
        model: the composing model; its vocabulary has VELOCITY and TIMBRE.
        score: notes; new volumes and timbres replace its own. Pitches that the model does not know stay, and
            the model reads the nearest octave.
        request: seed and sampling; other settings have no effect, because the notes stay.

    Raises:
        MusicError: if the score has no note.
        ModelError: if the model has no dynamics.
    """
    if not model.codec.vocabulary.has_expression:
        raise ModelError(
            f"The model {model.info.name} composes notes alone; give one that knows dynamics, "
            "such as --model expressive."
        )
    if not score.n_notes:
        raise MusicError("There is no note whose dynamics could be composed; give a score that has one.")
    plain = score.map_parts(lambda part: Part(tuple(map(_at_full_volume, part.notes))))
    time = free_time(fit_to_vocabulary(plain)[0], model.codec.timing)
    dynamics = Dynamics(model.codec, time.score)
    song = request.song(SongTime(time, model.codec, None), voices=(), extra=[dynamics], opens=False)

    def finish(song: Song) -> Score:
        both = zip(plain.parts, song.score().parts, strict=True)
        return Score.of((_with_dynamics(part, said, time, plain.length) for part, said in both), plain.length)

    return Arrangement(Composer(model, song), finish, time)


def _at_full_volume(note: Note) -> Note:
    return Note(note.onset, note.length, note.pitch)


def _with_dynamics(part: Part, said: Part, time: FreeTime, length: int) -> Part:
    """Return a part with composed volumes and timbres, at their distance from the onsets of its notes."""
    own = {time.to_model(note.onset): note for note in part.notes}
    known = sorted(own)
    loud = {note.onset: note.velocity for note in said.notes}  # the model lacks notes that are too short
    notes = [replace(n, velocity=loud.get(time.to_model(n.onset), n.velocity)) for n in part.notes]
    starts = {note.onset for note in notes}
    changes: dict[tuple[int, Kind], Change] = {}
    for change in said.changes:
        after = bisect_right(known, change.sample)
        note = own[known[after - 1]] if after else None
        sample = change.sample + (note.onset - known[after - 1] if note else time.shift)
        latest = own[known[after]].onset - 1 if after < len(known) else length
        sample = max(0, min(sample, latest))
        sounds = note is not None and sample < note.end and sample not in starts
        if change.kind is Kind.TIMBRE or sounds:
            changes[sample, change.kind] = replace(change, sample=sample)
    together = sorted(changes.values(), key=attrgetter("order"))
    return Part(tuple(notes), tuple(together) if notes else ())
