"""Measure how much of other people's MIDI survives reading it.

    python benchmarks/midi_reading.py FOLDER [--every 20] [--json]

Every file under FOLDER is imported, and compared with what another library (symusic) reads from it. A row for
each collection (a folder in FOLDER) and one for all:

- `kick`, `snare`, `hat`, `cymbal`, `tom`: share of drum hits that the noise strikes within 10 ms, for at
  least a frame, as a drum of that role; or of a role that was struck there too, since one voice plays one.
- `kick*` and `snare*`: the same, but as itself and nothing else.
- `melody`: share of the melody's onsets that one pulse plays within 10 ms at their pitch, octaves apart; of
  moments with several notes the highest counts. The melody is the track called MELODY, the first violin, or
  the first track beside a piano; other files have none.
- `bass`: the same of the triangle and the notes of the bass below which the bass sounds nothing else. The
  bass is the tracks with a General MIDI bass, the cello of a quartet, the piano under a voice or a melody, or
  the chords.
- `tempi`, `meters`, `keys`: share of the files that state some whose export for DAWs states the same at the
  same beat.
- `brief`: notes of the four voices that are shorter than a frame of the console, and `notes`: all.
- `refused`: files that cannot be imported. `seconds`: what importing took, of the processor.
"""

from __future__ import annotations

import argparse
import json
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, takewhile
from operator import itemgetter
from pathlib import Path

import symusic

from lakhnes.bridge import import_midi, midi_bytes
from lakhnes.runtime import SAMPLE_RATE, LakhnesError, Note, Score, Voice

FRAME = 735
NEAR = SAMPLE_RATE // 100
"""Samples: 10 ms."""
LEGATO = SAMPLE_RATE // 10
"""Samples for which a bass note may sound on while the next one does."""
ROLL = SAMPLE_RATE // 25
"""Samples within which a hand strikes a chord: 40 ms."""

ROLES = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "hat": (22, 26, 42, 44, 46),
    "cymbal": (49, 51, 52, 53, 55, 57, 59),
    "tom": (41, 43, 45, 47, 48, 50),
}
ROLE_OF_DRUM = {drum: role for role, drums in ROLES.items() for drum in drums}
ROLE_OF_NOISE = dict(
    zip(
        range(1, 17),
        ["kick"] * 2 + ["tom"] * 6 + ["snare"] * 4 + ["cymbal", "hat", "hat", "hat"],
        strict=True,
    )
)
"""As `gm.DRUM_OF_NOISE` has them; noise 13 is an open hi-hat too."""

ENDINGS = (".mid", ".midi", ".kar", ".smf", ".rmi")


def judge(path: Path) -> Counter[str]:
    """Counts for one file: of what there is, and of what is kept (`+` before the name)."""
    counts = Counter(files=1)
    started = time.process_time()
    try:
        music = import_midi(path)
    except LakhnesError:
        counts["refused"] += 1
        return counts
    finally:
        counts["seconds"] += time.process_time() - started  # type: ignore[assignment]
    for part in music.score.parts:
        counts["notes"] += len(part.notes)
        counts["brief"] += sum(note.length < FRAME for note in part.notes)
    source = symusic.Score(path)
    timed = source.to("second")
    counts += _drums([note for track in timed.tracks if track.is_drum for note in track.notes], music.score)
    tracks = [track for track in timed.tracks if track.notes and not track.is_drum]
    melody, bass = _melody(tracks, path.parent.name), _bass(tracks, path.parent.name)
    pulses = (music.score.parts[Voice.P1].notes, music.score.parts[Voice.P2].notes)
    if melody is not None:
        onsets = _highest(melody.notes)
        counts["melody"] += len(onsets)
        counts["+melody"] += max(_played(onsets, notes) for notes in pulses)
    if bass:
        onsets = _undermost(bass)
        counts["bass"] += len(onsets)
        counts["+bass"] += _played(onsets, music.score.parts[Voice.TR].notes)
    back = symusic.Score.from_midi(midi_bytes(music.score, grid=music.grid))
    for what in ("tempi", "meters", "keys"):
        stated = _stated(source, what)
        if stated:
            counts[what] += 1
            counts["+" + what] += _same(stated, _stated(back, what))
    return counts


def _drums(hits: Iterable[symusic.Note], score: Score) -> Counter[str]:
    counts: Counter[str] = Counter()
    noise = [note for note in score.parts[Voice.NO].notes if note.length >= FRAME]
    struck = sorted((round(hit.time * SAMPLE_RATE), ROLE_OF_DRUM.get(hit.pitch, "")) for hit in hits)
    moments = [moment for moment, _ in struck]
    for moment, role in struck:
        if role:
            there = {name for _, name in _around(struck, moments, moment)}
            played = {ROLE_OF_NOISE[note.pitch] for note in _near(noise, moment)}
            played |= {"hat"} if any(note.pitch == 13 for note in _near(noise, moment)) else set()
            counts[role] += 1
            counts["+" + role] += bool(played & (there | {role}))
            counts[role + "*"] += 1
            counts["+" + role + "*"] += role in played
    return counts


def _around(struck: list[tuple[int, str]], moments: list[int], moment: int) -> list[tuple[int, str]]:
    return struck[bisect_left(moments, moment - NEAR) : bisect_left(moments, moment + NEAR + 1)]


def _near(notes: Sequence[Note], moment: int) -> Sequence[Note]:
    first = bisect_left(notes, moment - NEAR, key=lambda note: note.onset)
    return notes[first : bisect_left(notes, moment + NEAR + 1, key=lambda note: note.onset)]


def _melody(tracks: list[symusic.Track], collection: str) -> symusic.Track | None:
    names = [track.name.lower() for track in tracks]
    if collection == "pop909":
        return tracks[names.index("melody")] if "melody" in names else None
    if collection == "quartets":
        return tracks[0]
    if collection == "lieder":
        sung = [track for track, name in zip(tracks, names, strict=True) if not _is_keyboard(name)]
        return sung[0] if sung and len(sung) < len(tracks) else None
    return None


def _is_keyboard(name: str) -> bool:
    return any(word in name for word in ("pian", "klavier", "clavi", "forte", "keyboard", "orgel", "organ"))


def _bass(tracks: list[symusic.Track], collection: str) -> list[symusic.Note]:
    basses = [track for track in tracks if track.program in range(32, 40)]
    if not basses:
        match collection:
            case "quartets":
                basses = [track for track in tracks if track.name.lower() in ("violoncello", "cello")]
            case "lieder":
                basses = [track for track in tracks if _is_keyboard(track.name.lower())]
            case "pop909":
                basses = [track for track in tracks if track.name == "PIANO"]
            case "nottingham":
                basses = tracks[1:]
    return [note for track in basses for note in track.notes]


def _highest(notes: Iterable[symusic.Note]) -> list[tuple[int, int]]:
    """Onset and pitch of the highest note of each moment."""
    moments: list[tuple[int, int]] = []
    for onset, pitch in sorted((round(note.time * SAMPLE_RATE), note.pitch) for note in notes):
        if moments and onset - moments[-1][0] <= NEAR:
            moments[-1] = max(moments[-1], (onset, pitch), key=itemgetter(1))
        else:
            moments.append((onset, pitch))
    return moments


def _undermost(notes: Iterable[symusic.Note]) -> list[tuple[int, int]]:
    """Onset and pitch of the notes below which no other sounds, but for one that is about to end."""
    found: list[tuple[int, int]] = []
    held: list[tuple[int, int, int]] = []
    played = sorted(
        (round(note.time * SAMPLE_RATE), round(note.end * SAMPLE_RATE), note.pitch) for note in notes
    )
    for place, (onset, end, pitch) in enumerate(played):
        held = [note for note in held if note[1] > onset]
        struck = takewhile(lambda note: note[0] <= onset + ROLL, played[place + 1 :])  # noqa: B023
        over = min(end, onset + LEGATO)
        if not any(low < pitch and its_end >= over for _, its_end, low in chain(held, struck)):
            found.append((onset, pitch))
        held.append((onset, end, pitch))
    return found


def _played(onsets: list[tuple[int, int]], notes: Sequence[Note]) -> int:
    return sum(any((note.pitch - pitch) % 12 == 0 for note in _near(notes, onset)) for onset, pitch in onsets)


def _stated(score: symusic.Score, what: str) -> list[tuple[float, ...]]:
    """Return what a file states, with the beat of each; repetitions are left out."""
    values: dict[float, tuple[float, ...]] = {}
    lists = {"tempi": score.tempos, "meters": score.time_signatures, "keys": score.key_signatures}
    for event in lists[what]:
        beat = event.time / score.ticks_per_quarter
        match what:
            case "tempi":
                values[beat] = (event.mspq,)
            case "meters":
                values[beat] = (event.numerator, event.denominator)
            case _:
                values[beat] = (event.key, event.tonality)
    stated = [(beat, *values[beat]) for beat in sorted(values)]
    return [row for place, row in enumerate(stated) if place == 0 or row[1:] != stated[place - 1][1:]]


def _same(stated: list[tuple[float, ...]], back: list[tuple[float, ...]]) -> bool:
    """Return whether the same is stated at the same beats, to the tick of the written file."""
    return len(stated) == len(back) and all(
        a[1:] == b[1:] and abs(a[0] - b[0]) < 1 / 240 for a, b in zip(stated, back, strict=True)
    )


SHARES = (
    "kick",
    "snare",
    "hat",
    "cymbal",
    "tom",
    "kick*",
    "snare*",
    "melody",
    "bass",
    "tempi",
    "meters",
    "keys",
)
COUNTS = ("files", "refused", "notes", "brief")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="Only each so-manieth file of a collection.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    by_collection: dict[str, list[Path]] = {}
    for path in sorted(options.folder.rglob("*")):
        if path.name.lower().endswith(ENDINGS):
            by_collection.setdefault(path.parent.name, []).append(path)
    rows: dict[str, Counter[str]] = {}
    for name, paths in by_collection.items():
        rows[name] = sum(map(judge, paths[:: options.every]), Counter())
    rows["all"] = sum(rows.values(), Counter())
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'':12}" + "".join(f"{name:>9}" for name in (*SHARES, *COUNTS, "seconds")))
    for name, row in rows.items():
        shares = [f"{100 * row['+' + what] / row[what]:.2f}" if row[what] else "-" for what in SHARES]
        cells = [*shares, *(str(row[what]) for what in COUNTS), f"{row['seconds']:.1f}"]
        print(f"{name:12}" + "".join(f"{cell:>9}" for cell in cells))


if __name__ == "__main__":
    main()
