"""Adapting arbitrary MIDI to the four voices, in the project's way and in that of LakhNES."""

import io
import random

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge import gm
from lakhnes.bridge.smf import ControlChange, MidiFile, NoteMessage, Track
from lakhnes.export.adapt import MIN_NOTES, adapt
from lakhnes.export.adapt_legacy import UnfitError, adapt_legacy
from lakhnes.export.songs import Recipe, content_of, songs_of_file
from lakhnes.export.sources import Item
from lakhnes.runtime import Kind, Note, Part, Score, Voice
from lakhnes.runtime.bars.codec import tempo_of_class
from lakhnes.runtime.music.events import SAMPLE_RATE, VOCABULARY_PITCHES
from lakhnes.runtime.music.timing import Codec, Timing
from lakhnes.runtime.music.vocabulary import tx2

BEAT = 480  # ticks, half a second

Hit = tuple[int, int, int]  # tick, pitch, length in ticks


def track(hits: list[Hit], channel: int = 0, name: str = "", velocity: int = 100) -> Track:
    messages = [
        (tick + length, 0, NoteMessage(tick + length, channel, pitch, 0)) for tick, pitch, length in hits
    ]
    messages += [(tick, 1, NoteMessage(tick, channel, pitch, velocity)) for tick, pitch, _ in hits]
    messages.sort(key=lambda message: message[:2])
    return Track(name=name, notes=[message for _, _, message in messages])


def line(low: int, seed: int, count: int = 24) -> list[Hit]:
    """A monophonic line of an octave above `low`."""
    rng = random.Random(seed)
    return [(i * BEAT, low + rng.randrange(12), BEAT // 2) for i in range(count)]


def chords(low: int, count: int = 24) -> list[Hit]:
    return [(i * BEAT, low + i % 5 + third, BEAT - 10) for i in range(count) for third in (0, 4, 7, 16)]


def midi(*tracks: Track, division: int = BEAT) -> MidiFile:
    return MidiFile(1, division, tracks)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scores(file: MidiFile, *args: np.random.Generator, **options: float) -> list[Score]:
    """The songs that `adapt` finds in a file, without the beats that it states."""
    return [song.score for song in adapt(file, *args, **options)]


def pitches(score: Score, voice: Voice) -> list[int]:
    return [note.pitch for note in score.parts[voice].notes]


def test_chords_give_their_top_and_bass_lines() -> None:
    (song,) = scores(midi(track(line(72, 1)), track(chords(40), channel=1)), rng(), arrangements=1)
    assert pitches(song, Voice.P1) == [pitch for _, pitch, _ in line(72, 1)]
    assert pitches(song, Voice.TR) == [40 + i % 5 for i in range(24)]
    assert pitches(song, Voice.P2) == [56 + i % 5 for i in range(24)]
    (alone,) = scores(midi(track(chords(40))), rng())
    assert pitches(alone, Voice.TR) == [40 + i % 5 for i in range(24)]
    assert max(map(max, (pitches(alone, Voice.P1), pitches(alone, Voice.P2)))) == 60


def test_drums_become_noise_by_their_kind() -> None:
    drums = [(i * BEAT // 2, (36, 42, 38, 42)[i % 4], 60) for i in range(48)]
    (song,) = scores(midi(track(line(60, 1)), track(drums, channel=9)), rng(), arrangements=1)
    assert pitches(song, Voice.NO) == [gm.NOISE_OF_DRUM[pitch] for _, pitch, _ in drums]
    (alone,) = scores(midi(track(drums, channel=9)), rng())
    assert alone.n_notes == len(drums)
    assert not any(alone.parts[voice].notes for voice in (Voice.P1, Voice.P2, Voice.TR))


def test_a_band_gives_several_songs_each_of_other_tracks() -> None:
    band = [track(line(36 + 8 * i, i), channel=i) for i in range(6)]
    band.append(track([(i * BEAT, 36, 60) for i in range(24)], channel=9))
    songs = scores(midi(*band), rng(1), arrangements=5)
    assert len(songs) == 5
    lines = {tuple(pitches(song, voice)) for song in songs for voice in (Voice.P1, Voice.P2, Voice.TR)}
    assert len(lines) > 3
    for song in songs:
        assert all(part.notes for part in song.parts)
        lowest = min((Voice.P1, Voice.P2, Voice.TR), key=lambda voice: np.mean(pitches(song, voice)))
        assert lowest is Voice.TR
    assert len({content_of(song) for song in songs}) == 5
    assert scores(midi(*band), rng(1), arrangements=5) == songs
    assert len(scores(midi(*band), rng(1), arrangements=1000)) == 20  # every three of six
    doubled = [*band, track([(t, p + 12, n) for t, p, n in line(36, 0)], channel=7)]
    assert len(scores(midi(*doubled), rng(1), arrangements=1000)) == 20


def test_a_kit_on_any_channel_is_in_all_songs_of_a_band() -> None:
    band = [track(line(36 + 8 * i, i), channel=i) for i in range(5)]
    band.append(track([(i * BEAT, (36, 38)[i % 2], 60) for i in range(24)], channel=7, name="Drums"))
    songs = scores(midi(*band), rng(1), arrangements=5)
    assert len(songs) == 5
    for song in songs:
        assert pitches(song, Voice.NO) == [gm.NOISE_OF_DRUM[36], gm.NOISE_OF_DRUM[38]] * 12
        assert all(song.parts[voice].notes for voice in Voice)


def test_songs_begin_at_their_first_note_and_are_cut() -> None:
    late = [(tick + 40 * BEAT, pitch, length) for tick, pitch, length in line(60, 1, count=100)]
    (song,) = scores(midi(track(late)), rng(), max_seconds=10)
    assert song.parts[Voice.P1].notes[0].onset == 0
    assert song.n_notes == 20
    assert song.length <= 10 * SAMPLE_RATE
    held = midi(track(line(60, 1)), track([(0, 40, 1000 * BEAT)], channel=1), track(line(80, 3), channel=2))
    assert all(song.length <= 10 * SAMPLE_RATE for song in scores(held, rng(), max_seconds=10))


def test_a_song_comes_with_the_beats_of_its_file() -> None:
    at_150 = Track(tempi=[(0, 400_000)], signatures=[(0, 3, 4)], name="")
    late = [(tick + 5 * BEAT, pitch, length) for tick, pitch, length in line(60, 1)]
    ((_, grid, states_meter),) = adapt(midi(at_150, track(late)), rng())
    assert states_meter
    assert grid is not None
    assert (grid.bpm, grid.beats_per_bar) == (pytest.approx(150), 3)
    assert [grid.exact_tick(round(beat * 0.4 * SAMPLE_RATE)) for beat in range(4)] == pytest.approx(
        [5 * BEAT, 6 * BEAT, 7 * BEAT, 8 * BEAT]
    )


def written(tempo: int, beats: int, beat: int) -> bytes:
    """A file of even notes over a bass on the beat; it states a tempo and a meter.

    Args:
        tempo: that it states, in microseconds a beat.
        beats: of a bar, that it states.
        beat: that its notes keep to, in ticks.
    """
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    conductor.append(mido.MetaMessage("time_signature", numerator=beats, denominator=4))
    lead = [(60 + i * i % 7 + i % 5, beat // 4) for i in range(192)]
    bass = [((36, 43, 40, 43)[i % 4], beat) for i in range(48)]
    tracks = [conductor]
    for channel, notes in enumerate((lead, bass)):
        messages = [
            mido.Message(kind, channel=channel, note=pitch, time=time)
            for pitch, length in notes
            for kind, time in (("note_on", 0), ("note_off", length))
        ]
        tracks.append(mido.MidiTrack(messages))
    data = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=BEAT, tracks=tracks).save(file=data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("tempo", "beats", "beat", "told"),
    [
        (500_000, 3, BEAT, (3, 120)),
        (500_000, 5, BEAT, (5, 120)),
        (400_000, 4, BEAT, (4, 150)),
        (500_000, 5, 412, (4, 120 * BEAT / 412)),  # nobody played to its click, so what is heard counts
    ],
)
def test_bars_are_those_that_a_file_states_if_its_notes_keep_to_them(
    tempo: int, beats: int, beat: int, told: tuple[int, float]
) -> None:
    recipe = Recipe(events="bars", timing="bars", arrangements=1)
    (song,) = songs_of_file(Item("a.mid", written(tempo, beats, beat)), recipe).songs
    head = {event.kind: event.value for event in map(recipe.codec.vocabulary.events.__getitem__, song.tokens)}
    assert head[Kind.METER] == told[0]
    assert tempo_of_class(head[Kind.TEMPO]) == pytest.approx(told[1], rel=0.04)


@pytest.mark.parametrize(
    ("hits", "reason"),
    [
        ([], "no notes"),
        (line(60, 1, count=6), "lasts 2"),
        ([(i * 4 * BEAT, 60 + i, BEAT) for i in range(MIN_NOTES - 1)], "15 notes"),
        ([(i * BEAT, 60, 200) for i in range(40)], "one note, repeated"),
        ([*line(60, 1), (400 * BEAT, 60, BEAT)], "silent for 94 %"),
    ],
)
def test_degenerate_songs_are_refused(hits: list[Hit], reason: str) -> None:
    with pytest.raises(UnfitError, match=reason):
        scores(midi(track(hits)), rng())


def test_legacy_places_monophonic_tracks_in_every_way() -> None:
    low, high = line(40, 1), line(70, 2)
    one = adapt_legacy(midi(track(high)), rng())
    assert sorted(tuple(bool(part.notes) for part in song.parts) for song in one) == sorted(
        [(True, False, False, False), (False, True, False, False), (False, False, True, False)]
    )
    two = adapt_legacy(midi(track(low), track(high, channel=1)), rng())
    assert len(two) == 6
    assert all(sum(bool(part.notes) for part in song.parts) == 2 for song in two)
    three = adapt_legacy(midi(*(track(line(40 + 9 * i, i), channel=i) for i in range(3))), rng())
    assert len({tuple(map(tuple, (pitches(song, v) for v in Voice))) for song in three}) == 6
    many = midi(*(track(line(40 + i, i), channel=i % 8) for i in range(40)))
    assert len(adapt_legacy(many, rng())) == 16
    assert len(adapt_legacy(many, rng(), arrangements=3)) == 3


def test_legacy_filters_tracks_and_notes() -> None:
    keep = line(60, 1)
    files = {
        "polyphonic": midi(track(keep), track(chords(50), channel=1)),
        "doubled": midi(track(keep), track(keep, channel=1)),
        "above": midi(track(keep), track([(i * BEAT, 110 + i % 9, 60) for i in range(20)], channel=1)),
        "below": midi(track(keep), track([(i * BEAT, 5 + i % 9, 60) for i in range(20)], channel=1)),
    }
    for name, file in files.items():
        assert len(adapt_legacy(file, rng())) == 3, name
    low = adapt_legacy(midi(track([(i * BEAT, 25 + i, 60) for i in range(20)])), rng())
    assert sorted(song.n_notes for song in low) == [12, 12, 20]  # the pulses begin at 33
    for tracks, reason in (
        ([track(chords(50))], "monophonic"),
        ([track(line(60, 1, count=9))], "lasts 4"),
        ([track(line(60, 1, count=1202))], "lasts 600"),
        ([track(line(60, 1), channel=9)], "monophonic"),
    ):
        with pytest.raises(UnfitError, match=reason):
            adapt_legacy(midi(*tracks), rng())
    with pytest.raises(UnfitError, match="SMPTE"):
        adapt_legacy(midi(track(keep), division=-7680), rng())


def test_legacy_maps_drums_at_random_and_drops_hits_that_overlap() -> None:
    drums = [(i * BEAT, 36 + i % 6, 2 * BEAT if i % 3 == 0 else 60) for i in range(24)]
    file = midi(track(line(60, 1)), track(drums, channel=9))
    songs = adapt_legacy(file, rng())
    maps = set()
    for song in songs:
        notes = song.parts[Voice.NO].notes
        kept = [hit for i, hit in enumerate(drums) if i % 3 != 1]
        assert [note.onset for note in notes] == [tick * SAMPLE_RATE // 960 for tick, _, _ in kept][
            : len(notes)
        ]
        assert len(kept) - len(notes) <= 1  # one that ends after the song is left out
        heard = {pitch: note.pitch for (_, pitch, _), note in zip(kept, notes, strict=False)}
        assert all(heard[pitch] == note.pitch for (_, pitch, _), note in zip(kept, notes, strict=False)), (
            "one drum, one period"
        )
        maps.add(tuple(sorted(heard.items())))
    assert len(maps) == 3
    assert adapt_legacy(file, rng()) == songs


def test_legacy_clips_and_scales_velocities() -> None:
    long = track(line(60, 1, count=800), velocity=64)
    for song in adapt_legacy(midi(long), rng()):
        assert song.length == 180 * SAMPLE_RATE
        velocities = {note.velocity for part in song.parts[:2] for note in part.notes}
        assert velocities <= {8}  # round(1 + 14 * 64 / 127)


def test_legacy_splits_tracks_by_program_and_ends_with_the_last_event() -> None:
    two = track([*line(60, 1, count=12), *((t + 12 * BEAT, p, n) for t, p, n in line(60, 2, count=12))])
    two.programs.append((12 * BEAT - BEAT // 4, 0, 5))
    assert len(adapt_legacy(midi(two), rng())) == 6
    short = track(line(60, 1, count=9))
    short.controls.append(ControlChange(20 * BEAT, 0, 7, 100))
    assert adapt_legacy(midi(short), rng())[0].seconds < 5  # a late controller made the file long enough


@st.composite
def files(draw: st.DrawFn) -> MidiFile:
    tracks = []
    for _ in range(draw(st.integers(0, 6))):
        hit = st.tuples(st.integers(0, 60 * BEAT), st.integers(0, 127), st.integers(0, 5 * BEAT))
        hits = draw(st.lists(hit, max_size=60))
        channel = draw(st.sampled_from([0, 1, 2, 9]))
        tracks.append(track(hits, channel, draw(st.sampled_from(["", "bass", "P1", "Melody"]))))
    return MidiFile(
        draw(st.sampled_from([0, 1, 2])), draw(st.sampled_from([1, BEAT, 960, -7680])), tuple(tracks)
    )


@settings(max_examples=60, deadline=None)
@given(files(), st.integers(0, 3))
def test_whatever_a_file_holds_its_songs_can_be_encoded(file: MidiFile, seed: int) -> None:
    codec = Codec(tx2(), Timing.FRAMES)
    for way in (scores, adapt_legacy):
        try:
            songs = way(file, rng(seed))
        except UnfitError:
            continue
        for song in songs:
            first = min(part.notes[0].onset for part in song.parts if part.notes)
            assert first == 0 or way is adapt_legacy
            for voice in Voice:
                assert set(pitches(song, voice)) <= set(VOCABULARY_PITCHES[voice])
            codec.encode(song)


def test_a_copy_is_known_in_another_key_and_later() -> None:
    def tune(up: int = 0, later: int = 0, *, drum: int = 3) -> Score:
        lead = [Note(later + i * 5000, 4000, 60 + up + i * i % 7) for i in range(20)]
        bass = [Note(later + i * 10_000, 9000, 40 + up + i % 3) for i in range(10)]
        noise = Part((Note(later + 100, 50, drum),))
        return Score((Part(tuple(lead)), Part(), Part(tuple(bass)), noise), later + 200_000)

    assert content_of(tune()) == content_of(tune(5)) == content_of(tune(-3, 44_100))
    assert content_of(tune()) != content_of(tune(drum=4))
    swapped = Score((tune().parts[0], *tune().parts[1:3], Part()), 200_000)
    assert content_of(tune()) != content_of(swapped)


def test_nes_midi_is_never_adapted() -> None:
    from support import tune

    from lakhnes.bridge import MidiStyle, midi_bytes

    for adaptation in ("better", "legacy"):
        item = Item("a.mid", midi_bytes(tune(), MidiStyle.NES))
        (song,) = songs_of_file(item, Recipe(adapt=adaptation)).songs
        assert (song.name, song.content) == ("a.mid", b"")
