"""Dynamics and timbre for notes that are there, composed by a model that knows them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from operator import attrgetter

from lakhnes.runtime.compose.arrange import Arrangement, Settings, fit_to_vocabulary
from lakhnes.runtime.decode.composer import Composer
from lakhnes.runtime.decode.kept import Dynamics
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import ModelError, MusicError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import Kind
from lakhnes.runtime.music.score import Change, Note, Part, Score
from lakhnes.runtime.music.timing import Heard, heard


def compose_dynamics(model: Model, score: Score, settings: Settings) -> Arrangement:
    """Keeps all notes of a score, and composes how loud they are, how that changes, and with what timbre.

    Args:
        model: what composes; its vocabulary has VELOCITY and TIMBRE.
        score: notes; what it says of volumes and timbres is replaced. Pitches that the model does not know
            stay, and are heard by octaves as near as it can.
        settings: chance, sampling and constraints.

    Raises:
        MusicError: if the score has no note.
        ModelError: if the model knows no dynamics.
    """
    if not model.codec.vocabulary.has_expression:
        raise ModelError(
            f"The model {model.info.name} composes notes alone; give one that knows dynamics, "
            "such as --model expressive."
        )
    if not score.n_notes:
        raise MusicError("There is no note whose dynamics could be composed; give a score that has one.")
    p1, p2, tr, no = (Part(tuple(map(_at_full_volume, part.notes))) for part in score.parts)
    plain = Score((p1, p2, tr, no), score.length)
    ear = heard(fit_to_vocabulary(plain)[0], model.codec.timing)
    song = Song(
        model.codec,
        settings.rng,
        sampling=settings.sampling,
        opens=False,
        constraints=[*settings.constraints, Dynamics(model.codec, ear.score)],
    )

    def finish(whole: Score) -> Score:
        p1, p2, tr, no = (
            _with_dynamics(part, said, ear, plain.length)
            for part, said in zip(plain.parts, whole.parts, strict=True)
        )
        return Score((p1, p2, tr, no), plain.length)

    return Arrangement(Composer(model.without_recall(), song), finish)


def _at_full_volume(note: Note) -> Note:
    return Note(note.onset, note.length, note.pitch)


def _with_dynamics(part: Part, said: Part, ear: Heard, length: int) -> Part:
    """A part with the volumes and timbres of what was heard of it, each as long after its note's onset."""
    own = {ear.time(note.onset): note for note in part.notes}
    heard_onsets = sorted(own)
    loud = {note.onset: note.velocity for note in said.notes}  # a note too short to be heard is not there
    notes = [replace(n, velocity=loud.get(ear.time(n.onset), n.velocity)) for n in part.notes]
    starts = {note.onset for note in notes}
    changes: dict[tuple[int, Kind], Change] = {}
    for change in said.changes:
        after = bisect_right(heard_onsets, change.sample)
        note = own[heard_onsets[after - 1]] if after else None
        sample = change.sample + (note.onset - heard_onsets[after - 1] if note else ear.shift)
        latest = own[heard_onsets[after]].onset - 1 if after < len(heard_onsets) else length
        sample = max(0, min(sample, latest))
        sounds = note is not None and sample < note.end and sample not in starts
        if change.kind is Kind.TIMBRE or sounds:
            changes[sample, change.kind] = replace(change, sample=sample)
    together = sorted(changes.values(), key=attrgetter("order"))
    return Part(tuple(notes), tuple(together) if notes else ())
