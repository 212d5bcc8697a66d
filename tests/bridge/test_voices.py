"""Which of a file's notes the four voices play."""

import io
import random
from itertools import pairwise

import mido
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.drums import merged
from lakhnes.bridge.gm import DrumRole, role_of_drum
from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.monophony import NEAR, outline, spaced
from lakhnes.bridge.smf import MidiFile, parse
from lakhnes.runtime import OptionError, Score, Voice
from lakhnes.runtime.music.events import Kind
from lakhnes.runtime.music.timing import FRAME_SAMPLES

TICK = 22_050 / 480

Message = tuple[int, str, dict[str, int]]


def track(*messages: Message, name: str = "", channel: int = 0) -> mido.MidiTrack:
    result = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    now = 0
    for tick, kind, values in sorted(messages, key=lambda m: (m[0], m[1] == "note_on")):
        result.append(mido.Message(kind, channel=channel, time=tick - now, **values))
        now = tick
    return result


def notes(*hits: tuple[int, int, int], velocity: int = 100) -> list[Message]:
    """Messages of (tick, pitch, length)."""
    on = [(tick, "note_on", {"note": pitch, "velocity": velocity}) for tick, pitch, _ in hits]
    return on + [(tick + length, "note_off", {"note": pitch}) for tick, pitch, length in hits]


def program(number: int) -> Message:
    return (0, "program_change", {"program": number})


def control(tick: int, number: int, value: int) -> Message:
    return (tick, "control_change", {"control": number, "value": value})


def file_of(*tracks: mido.MidiTrack) -> MidiFile:
    midi = mido.MidiFile(ticks_per_beat=480, charset="utf-8")
    midi.tracks.extend(tracks)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return parse(buffer.getvalue())


def pitches(score: Score) -> dict[str, list[int]]:
    return {voice.name: [note.pitch for note in score.parts[voice].notes] for voice in Voice}


def scale(first: int, n: int = 8, length: int = 240) -> list[tuple[int, int, int]]:
    return [(i * 480, first + i, length) for i in range(n)]


def chords(n: int = 8, spread: int = 0) -> list[tuple[int, int, int]]:
    return [(i * 480 + k * spread, 60 + 4 * k, 400) for i in range(n) for k in range(3)]


def test_a_chord_that_is_played_by_hand_is_one_onset_of_each_voice() -> None:
    rng = random.Random(1)
    played = [(max(0, tick + rng.randint(-12, 12)), pitch, 400) for tick, pitch, _ in chords()]
    score, _ = score_from_midi(file_of(track(*notes(*played))))
    assert pitches(score) == {"P1": [68] * 8, "P2": [64] * 8, "TR": [60] * 8, "NO": []}
    assert min(note.length for part in score.parts for note in part.notes) > 10 * FRAME_SAMPLES


line_notes = st.lists(
    st.builds(
        lambda onset, length, pitch, ring: LineNote(onset, onset + length, pitch, 100, onset + length + ring),
        st.integers(0, 60_000),
        st.integers(1, 20_000),
        st.integers(30, 90),
        st.integers(0, 5_000),
    ),
    max_size=30,
).map(sorted)


@given(line_notes, st.booleans())
def test_a_line_has_no_overlap_no_sliver_and_invents_nothing(many: list[LineNote], highest: bool) -> None:
    line = spaced(outline(many, highest=highest))
    assert bool(line) == bool(many)
    assert all(before.ring <= after.onset for before, after in pairwise(line))
    assert all(note.ring - note.onset >= FRAME_SAMPLES for note in line)
    for note in line:
        assert any(note.pitch == source.pitch and 0 <= note.onset - source.onset <= NEAR for source in many)


@given(st.lists(st.tuples(st.integers(FRAME_SAMPLES, 20_000), st.integers(30, 90)), min_size=1, max_size=20))
def test_a_line_that_is_one_already_stays(steps: list[tuple[int, int]]) -> None:
    single, onset = [], 0
    for length, pitch in steps:
        single.append(LineNote(onset, onset + length, pitch, 100, onset + length))
        onset += length
    for highest in (True, False):
        assert spaced(outline(single, highest=highest)) == single


def test_a_melody_over_an_accompaniment_in_one_part_is_heard_alone() -> None:
    melody = [(i * 1920, 72 + i, 1900) for i in range(4)]
    under = [(i * 240, 60 + i % 3, 220) for i in range(32)]
    high = outline(
        sorted(LineNote(o, o + length, p, 90, o + length) for o, p, length in melody + under), highest=True
    )
    assert [note.pitch for note in high] == [72, 73, 74, 75]


def _line(*played: tuple[int, int, int]) -> list[LineNote]:
    """Notes of milliseconds of onset, pitch and milliseconds of length."""
    return sorted(LineNote(o * 44, (o + n) * 44, p, 90, (o + n) * 44) for o, p, n in played)


def test_an_inner_note_that_goes_on_alone_takes_over() -> None:
    melody = _line((0, 76, 620), (430, 74, 780), (1300, 72, 400))
    assert outline(melody, highest=True) == melody


def test_an_inner_note_that_the_next_outer_one_covers_goes() -> None:
    soprano, alto = _line((0, 76, 500), (500, 77, 500)), _line((300, 72, 400))
    assert outline(sorted(soprano + alto), highest=True) == soprano


@pytest.mark.parametrize("highest", [True, False])
def test_a_grace_note_does_not_take_the_place_of_its_main_note(highest: bool) -> None:
    main = _line((0, 45, 440), (500, 43, 440))
    step = 1 if highest else -1
    graces = [note._replace(pitch=note.pitch + step, end=note.onset + 3000) for note in main]
    assert outline(sorted(main + graces), highest=highest) == main


drum_hits = st.lists(
    st.builds(
        lambda onset, drum, velocity: LineNote(onset, onset + 1, drum, velocity, onset + 1),
        st.integers(0, 40_000),
        st.sampled_from([35, 36, 38, 40, 42, 46, 45, 49, 51, 54, 70]),
        st.integers(1, 127),
    ),
    max_size=40,
).map(sorted)


@given(drum_hits, st.integers(1, 3))
@example([LineNote(at, at + 1, drum, 1, at + 1) for at, drum in ((0, 45), (294, 35), (588, 45))], 1)
def test_no_kick_or_snare_is_lost_to_other_drums(hits: list[LineNote], n_lines: int) -> None:
    lines = [Line(i, 9, "", tuple(hits[i::n_lines]), drums=True) for i in range(n_lines)]
    heard = merged(line for line in lines if line.notes)
    assert all(after.onset - before.onset >= FRAME_SAMPLES for before, after in pairwise(heard))
    assert all(note.ring - note.onset >= FRAME_SAMPLES for note in heard)
    strong = [hit for hit in hits if role_of_drum(hit.pitch) in (DrumRole.KICK, DrumRole.SNARE)]
    crowded = any(
        after.onset - before.onset < FRAME_SAMPLES for before, after in pairwise(strong)
    )  # a roll faster than frames cannot be played
    for hit in strong if not crowded else []:
        assert any(hit.pitch == note.pitch and abs(hit.onset - note.onset) <= NEAR for note in heard)


def test_a_long_kick_hides_no_hat() -> None:
    kicks = [(i * 960, 36, 960) for i in range(4)]
    hats = [(i * 240, 42, 60) for i in range(16)]
    score, remarks = score_from_midi(file_of(track(*notes(*kicks, *hats), channel=9)))
    assert pitches(score)["NO"] == [2 if i % 4 == 0 else 15 for i in range(16)]
    assert "kick 4, hat 12" in remarks[0]


def test_all_drum_tracks_are_merged_and_the_drum_channel_beats_names() -> None:
    score, remarks = score_from_midi(
        file_of(
            track(*notes(*[(i * 960, 36, 60) for i in range(4)]), name="Kick", channel=9),
            track(*notes(*[(i * 960 + 480, 38, 60) for i in range(4)]), name="Snare", channel=9),
            track(program(116), *notes(*scale(50)), name="Taiko Drum", channel=3),
            track(*notes(*scale(70)), name="Tune", channel=4),
        )
    )
    assert pitches(score)["NO"] == [2, 10] * 4
    assert "Noise plays the drums of 'Kick' and 'Snare' (kick 4, snare 4)." in remarks
    named = file_of(track(*notes((0, 36, 60), (480, 38, 60)), name="Drum Kit", channel=2))
    assert pitches(score_from_midi(named)[0])["NO"] == [2, 10]


@pytest.mark.parametrize(
    ("name", "its_program", "pitch", "noise"),
    [
        ("Perc", None, 42, [2, 15] * 4),
        ("Percussion 2", 0, 38, [2, 10] * 4),
        ("Hi-Hat (closed)", None, 60, [2, 15] * 4),  # a sampler's pitch
        ("Snare", 0, 72, [2, 10] * 4),
        ("HH", None, 42, [2, 15] * 4),
        ("Timpani", 47, 42, [2] * 4),
        ("Steel Drums", 114, 42, [2] * 4),
        ("Perc Organ", 17, 42, [2] * 4),
        ("Beat It", None, 42, [2] * 4),
    ],
)
def test_drums_on_another_channel_join_the_kit(
    name: str, its_program: int | None, pitch: int, noise: list[int]
) -> None:
    kick = track(*notes(*[(i * 960, 36, 60) for i in range(4)]), channel=9)
    hits = notes(*[(i * 960 + 480, pitch, 60) for i in range(4)])
    other = track(*([] if its_program is None else [program(its_program)]), *hits, name=name, channel=4)
    tune = track(*notes(*scale(70)), name="Tune", channel=1)
    score, remarks = score_from_midi(file_of(kick, tune, other))
    assert pitches(score)["NO"] == noise
    assert (pitches(score)["TR"] == []) == (len(noise) == 8)
    assert any(f"'{name}'" in remark for remark in remarks)


def a_beat(bars: int = 4) -> list[tuple[int, int, int]]:
    """Kick and snare in turn over hats."""
    beats = [(i * 480, (36, 38)[i % 2], 60) for i in range(4 * bars)]
    return beats + [(i * 240, 42, 60) for i in range(8 * bars)]


A_TUNE = [72, 74, 71, 76, 77, 69, 72, 79, 74, 67, 76, 71, 81, 77, 74, 72]


@pytest.mark.parametrize("name", ["Perc", "Drums of War", "Steel Drum", "Drum & Bass Lead", "Snare", "Kick"])
@pytest.mark.parametrize("has_kit", [True, False])
def test_a_tune_that_is_called_after_drums_is_a_tune(name: str, *, has_kit: bool) -> None:
    tune = [(i * 480, pitch, 400) for i, pitch in enumerate(A_TUNE)]
    tracks = [track(*notes(*tune), name=name), track(program(33), *notes(*scale(36)), channel=1)]
    kit = [track(*notes(*a_beat()), channel=9)] if has_kit else []
    played = pitches(score_from_midi(file_of(*tracks, *kit))[0])
    assert played["P1"] == A_TUNE
    assert bool(played["NO"]) == has_kit


@pytest.mark.parametrize(
    "name", ["", "EZdrummer 2", "Superior Drummer", "TR-808", "Jazz Kit", "鼓", "Ударные"]
)
def test_a_kit_on_another_channel_is_one(name: str) -> None:
    tune = [(i * 480, pitch, 400) for i, pitch in enumerate(A_TUNE)]
    kit = track(*notes(*a_beat()), name=name, channel=3)
    played = pitches(score_from_midi(file_of(kit, track(*notes(*tune), channel=1)))[0])
    assert (played["P1"], played["TR"]) == (A_TUNE, [])
    assert played["NO"] == [2, 15, 10, 15] * 8


def test_low_chords_are_no_kit() -> None:
    triads = [(i * 480, root + step, 400) for i in range(16) for root in (36, 38) for step in (0, 4, 7)]
    assert pitches(score_from_midi(file_of(track(*notes(*triads))))[0])["NO"] == []


@pytest.mark.parametrize(("kick", "snare", "heard"), [(110, 95, 10), (80, 100, 10), (120, 50, 2)])
def test_a_snare_is_heard_over_a_kick_that_is_not_much_louder(kick: int, snare: int, heard: int) -> None:
    kicks = notes(*[(i * 480, 36, 60) for i in range(8)], velocity=kick)
    snares = notes(*[(i * 960 + 480, 38, 60) for i in range(4)], velocity=snare)
    score, _ = score_from_midi(file_of(track(*kicks, *snares, channel=9)))
    assert pitches(score)["NO"] == [2, heard] * 4


def test_hats_keep_the_time_beside_other_percussion() -> None:
    shaker = track(*notes(*[(i * 120, 70, 60) for i in range(16)]), name="Perc")
    score, _ = score_from_midi(file_of(shaker, track(*notes(*a_beat(1)), channel=9)))
    assert pitches(score)["NO"] == [2, 16, 15, 16, 10, 16, 15, 16] * 2


def test_a_kit_of_a_track_for_each_drum_is_one() -> None:
    drums = [
        track(*notes(*[(i * 480 + start, 60, 60) for i in range(4)]), name=name, channel=channel)
        for channel, (name, start) in enumerate((("Kick", 0), ("Snare", 120), ("Hats", 240)))
    ]
    score, remarks = score_from_midi(file_of(*drums, track(*notes(*scale(70)), name="Tune", channel=5)))
    assert pitches(score)["NO"] == [2, 10, 15] * 4
    assert "Noise plays the drums of 'Kick', 'Snare' and 'Hats' (kick 4, snare 4, hat 4)." in remarks


@pytest.mark.parametrize(
    ("tracks", "lead", "bass"),
    [
        ([("", 0, scale(48)), ("", 73, scale(60))], 1, 0),
        ([("", 33, scale(60)), ("", 0, scale(50))], 1, 0),
        ([("Bass", 0, scale(60)), ("Melody", 0, scale(50))], 1, 0),
        ([("", 48, chords()), ("", 73, scale(62))], 1, 0),
        ([("Chords", 0, chords()), ("Vocals", 0, scale(60))], 1, 0),
        ([("", 0, scale(72)), ("", 0, scale(40)), ("", 94, [(0, 84, 3800), (1920, 86, 1900)])], 0, 1),
    ],
)
def test_lines_are_chosen_by_what_they_are(
    tracks: list[tuple[str, int, list[tuple[int, int, int]]]], lead: int, bass: int
) -> None:
    made = [
        track(program(number), *notes(*hits), name=name, channel=channel)
        for channel, (name, number, hits) in enumerate(tracks)
    ]
    score, _ = score_from_midi(file_of(*made))
    highest = {tick: max(p for t, p, _ in tracks[lead][2] if t == tick) for tick, _, _ in tracks[lead][2]}
    lowest = {tick: min(p for t, p, _ in tracks[bass][2] if t == tick) for tick, _, _ in tracks[bass][2]}
    assert pitches(score)["P1"] == list(highest.values())
    assert pitches(score)["TR"] == list(lowest.values())


@pytest.mark.parametrize("name", ["Square Lead", "Sawtooth Lead", "Lead 1 (square)", "Solo Vox"])
def test_the_name_of_a_sound_makes_no_lead(name: str) -> None:
    riff = track(program(80), *notes(*[(i * 240, 38 + i % 3, 200) for i in range(16)]), name=name, channel=1)
    tune = track(program(62), *notes(*scale(72)), name="Synth Brass", channel=2)
    deep = track(program(33), *notes(*scale(30)), name="Bass", channel=3)
    played = pitches(score_from_midi(file_of(riff, tune, deep))[0])
    assert played["P1"] == list(range(72, 80))


def test_the_bass_of_a_choir_is_not_the_bass_above_a_left_hand() -> None:
    left = [(i * 480, 36 + i % 5, 470) for i in range(32)]
    right = [(i * 480, 64 + k, 470) for i in range(32) for k in (0, 4, 7)]
    sung = [(i * 960, 52 + i % 4, 900) for i in range(8, 14)]
    choir = [
        track(*notes(*sung), name="Bass"),
        track(*notes(*[(t, p + 19, n) for t, p, n in sung]), name="Soprano"),
    ]
    score, _ = score_from_midi(file_of(*choir, track(*notes(*left, *right), name="Piano")))
    assert pitches(score)["TR"] == [pitch for _, pitch, _ in left]
    doubled, _ = score_from_midi(file_of(*choir, track(*notes(*sung), name="Piano")))
    assert pitches(doubled)["TR"] == [pitch for _, pitch, _ in sung]


def test_a_line_that_doubles_the_bass_leaves_its_voice_to_what_is_between() -> None:
    octave = [(tick, pitch + 12, length) for tick, pitch, length in scale(36)]
    piano, doubling = track(*notes(*chords()), name="Piano"), track(*notes(*octave), name="Left", channel=2)
    bass = track(program(33), *notes(*scale(36)), channel=1)
    between = pitches(score_from_midi(file_of(piano, bass, doubling))[0])
    assert (between["P1"], between["P2"]) == ([68] * 8, [64] * 8)
    flute = track(program(73), *notes(*scale(73)))
    nothing_else = pitches(score_from_midi(file_of(flute, bass, doubling))[0])
    assert nothing_else["P2"] == list(range(48, 56))


def test_an_arpeggio_over_a_held_bass_is_two_voices() -> None:
    held = [(bar * 1920, 42 + bar, 1900) for bar in range(4)]
    arpeggio = [(bar * 1920 + i * 240, (58, 61, 64, 70)[i % 4], 230) for bar in range(4) for i in range(1, 8)]
    sung = [(960 + i * 960, 72 + i % 4, 900) for i in range(7)]
    piano = track(*notes(*held, *arpeggio), name="Piano", channel=1)
    score, remarks = score_from_midi(file_of(track(*notes(*sung), name="Voice"), piano))
    assert pitches(score) == {
        "P1": [pitch for _, pitch, _ in sung],
        "P2": [pitch for _, pitch, _ in arpeggio],
        "TR": [pitch for _, pitch, _ in held],
        "NO": [],
    }
    assert remarks[1:] == (
        "Pulse 2 plays the notes between of 'Piano'.",
        "Triangle plays the lowest notes of 'Piano'.",
    )


def test_both_hands_together_get_no_voice_beside_each_hand() -> None:
    right = [(i * 480, 70 + 2 * (i % 3) + k, 200) for i in range(8) for k in (0, 4)]
    left = [(i * 480 + 240, 36 + i % 3, 200) for i in range(8)]
    both = track(program(3), *notes(*right, *left), name="Keyboards", channel=0)
    hand = track(program(26), *notes(*right), name="Solo", channel=1)
    bass = track(program(35), *notes(*left), name="Piano", channel=2)
    score, _ = score_from_midi(file_of(both, hand, bass))
    assert pitches(score)["P1"] == [pitch for _, pitch, _ in right[1::2]]
    assert pitches(score)["P2"] == [pitch for _, pitch, _ in right[::2]]
    assert pitches(score)["TR"] == [pitch for _, pitch, _ in left]


@pytest.mark.parametrize("late", [40, 120, 200])
def test_an_echo_gets_no_voice_of_its_own(late: int) -> None:
    tune = scale(72)
    echo = track(*notes(*[(tick + late, pitch, length) for tick, pitch, length in tune]), channel=1)
    chord = track(program(48), *notes(*chords()), channel=2)
    score, _ = score_from_midi(file_of(track(*notes(*tune)), echo, chord))
    assert pitches(score)["P1"] == list(range(72, 80))
    assert pitches(score)["P2"][0] == 68  # the top of the chords


def test_a_few_long_notes_below_many_short_ones_are_heard() -> None:
    trill = [(i * 60, 72 + 2 * (i % 2), 58) for i in range(64)]
    held = [(i * 960, 48, 940) for i in range(4)]
    score, _ = score_from_midi(file_of(track(*notes(*trill, *held))))
    assert pitches(score)["TR"] == [48] * 4
    assert pitches(score)["P1"] == [72, 74] * 32


def test_a_bass_alone_is_the_bass() -> None:
    score, _ = score_from_midi(file_of(track(program(33), *notes(*scale(40)))))
    assert pitches(score)["TR"] == list(range(40, 48))


def test_the_pedal_lets_notes_ring() -> None:
    music = [control(0, 64, 127), control(1440, 64, 0), *notes((0, 60, 100), (960, 64, 100), (2400, 65, 100))]
    score, _ = score_from_midi(file_of(track(*music)))
    first, second, third = score.parts[Voice.P1].notes
    assert (first.end, second.end) == (second.onset, round(1440 * TICK))
    assert third.length == round(100 * TICK)


def test_volume_and_expression_are_loudness() -> None:
    swell = [control(tick, 11, value) for tick, value in ((0, 127), (480, 64), (960, 32), (1440, 127))]
    quiet, _ = score_from_midi(file_of(track(control(0, 7, 50), *notes((0, 60, 400)))))
    usual, _ = score_from_midi(file_of(track(control(0, 7, 100), *notes((0, 60, 400)))))
    (soft,), (loud,) = quiet.parts[Voice.P1].notes, usual.parts[Voice.P1].notes
    assert soft.velocity == pytest.approx(loud.velocity / 2, abs=1)
    assert loud.velocity == 12
    score, _ = score_from_midi(file_of(track(*swell, *notes((0, 60, 1900), velocity=127))))
    part = score.parts[Voice.P1]
    assert part.notes[0].velocity == 15
    assert [(change.sample, change.kind, change.value) for change in part.changes] == [
        (22_050, Kind.VELOCITY, 8),
        (44_100, Kind.VELOCITY, 4),
        (66_150, Kind.VELOCITY, 15),
    ]


def test_what_the_voices_cannot_play_is_said() -> None:
    bent = track((0, "pitchwheel", {"pitch": 4000}), control(0, 1, 90), *notes(*scale(60)))
    assert score_from_midi(file_of(bent))[1][-1] == (
        "Left out, since the four voices have none: pitch bend, modulation."
    )
    plain = track((0, "pitchwheel", {"pitch": 0}), *notes(*scale(60)))
    assert not any("Left out" in remark for remark in score_from_midi(file_of(plain))[1])


def flute_and_chords() -> MidiFile:
    return file_of(
        track(name="Conductor"),
        track(*notes(*scale(72)), name="Flute", channel=0),
        track(*notes(*chords()), name="Rhodes, soft", channel=1),
        track(*notes(*scale(36)), name="Deep", channel=2),
        track(*notes((0, 36, 60)), name="Kick", channel=9),
        track(*notes((480, 38, 60)), name="Snare", channel=9),
    )


def test_a_user_says_which_track_a_voice_plays() -> None:
    midi = flute_and_chords()
    as_asked, _ = score_from_midi(midi, "P1=rhodes, soft,TR=1,NO=5,P2=none")
    assert pitches(as_asked) == {"P1": [68] * 8, "P2": [], "TR": list(range(72, 80)), "NO": [10]}
    some, _ = score_from_midi(midi, "P2=Flute")
    assert pitches(some)["P2"] == list(range(72, 80))
    assert pitches(some)["TR"] == list(range(36, 44))
    quiet = track(control(0, 7, 50), *notes(*scale(60, 2)), name="Quiet")
    mixed = file_of(quiet, track(*notes(*[(tick + 960, p, n) for tick, p, n in scale(60, 2)]), name="Loud"))
    loudness = [note.velocity for note in score_from_midi(mixed, "P1=1+2")[0].parts[Voice.P1].notes]
    assert loudness == [6, 6, 12, 12], "each track as loud as it says"
    both, _ = score_from_midi(midi, "no = kick + 5")
    assert pitches(both)["NO"] == [2, 10]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P1=Oboe", "no track 'Oboe'; the file has 1 'Flute', 2 'Rhodes, soft', 3 'Deep'"),
        ("P1=6", "no track '6'"),
        ("P5=1", "gives no track to a voice"),
        ("P1", "gives no track to a voice"),
        ("P1=1,P1=2", "gives two tracks to P1"),
        ("P1=e", "may be one of 4 tracks; give its number: 1 'Flute'"),
    ],
)
def test_what_cannot_be_chosen_is_said(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        score_from_midi(flute_and_chords(), text)


@settings(max_examples=30)
@given(st.integers(3, 5), st.integers(6, 60))
def test_held_chords_become_arpeggios_where_one_voice_plays_them(size: int, frames: int) -> None:
    length = round(frames * FRAME_SAMPLES / TICK)
    held = [(0, 50 + 3 * k, length) for k in range(size)]
    midi = file_of(
        track(*notes(*scale(72))),
        track(*notes(*held), channel=1),
        track(program(33), *notes(*scale(36)), channel=2),
    )
    plain, _ = score_from_midi(midi)
    assert pitches(plain)["P2"] == [50 + 3 * (size - 1)]
    score, remarks = score_from_midi(midi, arpeggio=True)
    part = score.parts[Voice.P2].notes
    assert [note.pitch for note in part] == [50 + 3 * (k % size) for k in range(len(part))]
    assert abs(len(part) - frames) <= 2
    assert {note.length for note in part[:-1]} == {FRAME_SAMPLES}
    assert any("as arpeggios" in remark for remark in remarks)


@pytest.mark.parametrize("bpm", [60, 120, 180, 240])
@pytest.mark.parametrize("upwards", [True, False])
def test_a_hand_takes_50_ms_for_a_chord_at_any_tempo(bpm: int, *, upwards: bool) -> None:
    order = (0, 4, 7) if upwards else (7, 4, 0)
    spread = round(0.024 * 480 * bpm / 60)  # ticks
    chords = [
        (i * 480 + k * spread, 60 + i + step, 400 - k * spread)
        for i in range(8)
        for k, step in enumerate(order)
    ]
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    score, _ = score_from_midi(file_of(tempo, track(*notes(*chords))))
    assert pitches(score)["P1"] == [67 + i for i in range(8)]
    assert pitches(score)["P2"] == [64 + i for i in range(8)]
    assert pitches(score)["TR"] == [60 + i for i in range(8)]


@pytest.mark.parametrize("bpm", [90, 180, 260])
@pytest.mark.parametrize("order", [(0, 4, 7, 11), (11, 7, 4, 0), (7, 0, 11, 4)])
def test_a_short_chord_of_one_hand_is_one_onset(bpm: int, order: tuple[int, ...]) -> None:
    spread = 0.05 / 3 * 480 * bpm / 60  # ticks
    chords = [
        (i * 480 + round(k * spread), 60 + i + step, 200) for i in range(8) for k, step in enumerate(order)
    ]
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    score, _ = score_from_midi(file_of(tempo, track(*notes(*chords))))
    assert pitches(score)["P1"] == [71 + i for i in range(8)]
    assert pitches(score)["TR"] == [60 + i for i in range(8)]


def test_a_fast_run_in_legato_is_no_chord() -> None:
    run = [
        (i * 60, 60 + i, 80) for i in range(24)
    ]  # demisemiquavers of 31 ms, each held for a third too long
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(240))])
    score, _ = score_from_midi(file_of(tempo, track(*notes(*run))))
    assert pitches(score)["P1"] == list(range(60, 84))


@pytest.mark.parametrize(("bpm", "spread", "together"), [(60, 16, True), (120, 28, True), (240, 40, False)])
def test_what_is_together_depends_on_the_tempo(bpm: int, spread: int, together: bool) -> None:
    """Two notes so many ticks apart: 33 ms are a chord in a slow song, 21 ms are none in a fast one."""
    both = [(i * 480 + k * spread, 60 + 7 * k, 3 * spread) for i in range(8) for k in range(2)]
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    score, _ = score_from_midi(file_of(tempo, track(*notes(*both))))
    assert (pitches(score)["P1"] == [67] * 8) == together


def test_a_key_that_is_struck_again_is_heard_again() -> None:
    held = [(i * 240, 60, 480 - 20 * (i % 2)) for i in range(8)]
    score, _ = score_from_midi(file_of(track(*notes(*held))))
    assert [round(note.onset / TICK) for note in score.parts[Voice.P1].notes] == [i * 240 for i in range(8)]


def test_a_track_that_is_turned_down_is_not_used() -> None:
    silent = track(control(0, 7, 0), *notes(*scale(72)), name="Muted lead")
    swelling = track(control(0, 11, 0), control(300, 11, 127), *notes(*scale(60)), name="Tune", channel=1)
    score, remarks = score_from_midi(file_of(silent, swelling))
    assert pitches(score)["P1"] == list(range(60, 68))
    assert "Not used, since the file has its volume at 0: 'Muted lead'." in remarks
    alone, _ = score_from_midi(file_of(silent))
    assert pitches(alone)["P1"] == list(range(72, 80))


def test_synthesizers_are_told_of_drums_on_other_channels() -> None:
    hits = [(i * 480, 36 if i % 2 else 42, 60) for i in range(8)]
    tune = track(*notes(*scale(70)), name="Tune")
    xg_on = mido.Message("sysex", data=(0x43, 0x10, 0x4C, 0, 0, 0x7E, 0))
    part = mido.Message("sysex", data=(0x43, 0x10, 0x4C, 8, 10, 7, 2))
    bank = mido.Message("control_change", channel=10, control=0, value=127)
    for messages, noise in (
        ([xg_on, bank], [15, 2] * 4),
        ([part], [15, 2] * 4),
        ([bank], []),  # without XG a bank of melodies
    ):
        drums = mido.MidiTrack([*messages, *track(*notes(*hits), channel=10)])
        assert pitches(score_from_midi(file_of(tune, drums))[0])["NO"] == noise
