"""Filing: songs into the app and out of it, and none lost on the way."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from studio_desk import KEPT, Desk
from support import tune

from lakhnes.apu.vgm import read_vgm
from lakhnes.bridge import import_midi, read_midi, write_midi
from lakhnes.bridge.lines import Line
from lakhnes.runtime import BeatGrid, Note, OptionError, Part, Score, Voice, read_text, tx2_text
from lakhnes.runtime.music.editing import extract
from lakhnes.runtime.time.grid import TimeSignature
from lakhnes.studio import filing as filing_module
from lakhnes.studio import opening
from lakhnes.studio.exports import ExportRequest, chosen, playing, targets
from lakhnes.studio.music_files import Forms, Music, read_music, write_music
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.session_file import read_session, read_song, write_session
from lakhnes.studio.state import SongState, Whereabouts


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


# Opening


def test_a_session_is_opened_as_one_step(desk: Desk, tmp_path: Path) -> None:
    other = SongState(extract(tune(), (0, 88_200)), kept=0, bpm=90.0, seed=3, scale="a minor")
    path = tmp_path / "Night Walk.lakhnes"
    write_session(path, other)
    desk.filing.open(path)
    assert desk.state == KEPT
    desk.settle()
    assert desk.state == replace(other, kept=4 * 480, song=1)
    assert (desk.filing.path, desk.filing.title) == (path, "Night Walk — LakhNES")
    assert not desk.filing.changed
    assert desk.store.value.recent == (str(path),)
    assert desk.texts == ["Opened Night Walk.lakhnes."]
    assert desk.studio.session.undo_label == "Open Night Walk.lakhnes"
    desk.studio.session.undo()
    assert desk.state == KEPT
    assert desk.filing.path is None
    desk.studio.session.redo()
    assert desk.filing.path == path


def test_what_was_still_to_be_composed_is_still_asked_for(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.lakhnes"
    write_session(path, replace(KEPT, kept=9600))
    desk.filing.open(path)
    desk.settle()
    assert desk.state.kept == 9600


def test_a_session_by_another_name_is_one_by_its_content(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "download.bin"
    write_session(path, SongState(seed=5))
    desk.filing.open(path)
    desk.settle()
    assert desk.state.seed == 5


@pytest.mark.parametrize("bpm", [97.0, 140.3])
def test_music_on_a_grid_keeps_its_tempo_and_bars(desk: Desk, tmp_path: Path, bpm: float) -> None:
    grid = BeatGrid.steady(bpm, 3)
    song, _ = playing(replace(KEPT, bpm=bpm))
    write_midi(song, tmp_path / "a.mid", grid=grid)
    desk.filing.open(tmp_path / "a.mid")
    desk.settle()
    state = desk.state
    assert (state.composed_bpm, state.bpm, state.beats_per_bar) == (bpm, bpm, 3)
    assert (state.kept, state.seed) == (state.end, 77)
    onsets = [state.grid.tick(note.onset) for note in state.score.parts[Voice.P1].notes]
    assert onsets == [480 * beat for beat in range(8)]
    assert not desk.filing.changed, "it is in its file"
    assert desk.texts[0].startswith("Opened a.mid.")
    assert desk.studio.session.undo_label == "Open a.mid"


def test_music_that_changes_its_tempo_becomes_steady(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = BeatGrid.steady(120)
    grid = replace(steady, tempi=((0, 110.0), (1920, 130.0)))
    music = opening.read_music
    path = tmp_path / "a.tx2.txt"
    path.write_text(tx2_text(tune()))
    monkeypatch.setattr(opening, "read_music", lambda path, *_, **__: replace(music(path), grid=grid))
    desk.filing.open(path)
    desk.settle()
    assert (desk.state.bpm, desk.state.score) == (120.0, tune())
    assert "Its tempo changes; the song now uses 120 BPM throughout." in desk.texts[0]


def test_music_whose_meter_changes_gets_bars_of_one_length(tmp_path: Path) -> None:
    song, _ = playing(replace(KEPT, bpm=120.0))
    for meters, beats, shift, said in (
        (((0, 1, 4), (480, 4, 4)), 4, 1440, False),
        (((0, 4, 4), (1920, 7, 8)), 4, 0, True),
        (((0, 6, 8),), 3, 0, False),
    ):
        desk = Desk(tmp_path, KEPT)
        signatures = tuple(TimeSignature(*meter) for meter in meters)
        path = tmp_path / "a.mid"
        write_midi(song, path, grid=replace(BeatGrid.steady(120), signatures=signatures))
        desk.filing.open(path)
        desk.settle()
        assert desk.state.beats_per_bar == beats
        onsets = [desk.state.grid.tick(note.onset) for note in desk.state.score.parts[Voice.P1].notes]
        assert onsets == [480 * beat + shift for beat in range(8)], "the first whole bar begins on a bar line"
        assert ("Its metre changes" in desk.texts[0]) == said
        desk.close()


def test_the_tracks_that_are_wanted_are_opened(desk: Desk, tmp_path: Path) -> None:
    song, _ = playing(replace(KEPT, bpm=120.0))
    path = tmp_path / "a.mid"
    write_midi(song, path)
    listed: list[Line] = []
    desk.filing.list_tracks(path, listed.extend)
    desk.settle()
    (number,) = [line.number for line in listed if line.name == "Pulse 1"]
    desk.filing.open(path, f"TR={number},P1=none")
    desk.settle()
    parts = desk.state.score.parts
    assert [note.pitch for note in parts[Voice.TR].notes] == [note.pitch for note in song.parts[0].notes]
    assert not parts[Voice.P1].notes


def test_music_without_a_beat_lies_freely_over_the_bars(tmp_path: Path) -> None:
    desk = Desk(tmp_path, replace(KEPT, bpm=90.0))
    notes = tuple(Note(round(44_100 * at), 4000, 60) for at in (0.1, 0.31, 1.17, 1.9, 2.03, 4.4))
    path = tmp_path / "a.tx2.txt"
    path.write_text(tx2_text(Score((Part(notes), Part(), Part(), Part()), 220_500)))
    desk.filing.open(path)
    desk.settle()
    assert desk.state.score.parts[0].notes == notes
    assert (desk.state.bpm, desk.state.composed_bpm) == (90.0, 90.0)
    assert desk.texts[0].count("No steady beat was found") == 1
    desk.close()


def test_notes_out_of_reach_are_shifted_and_said(desk: Desk, tmp_path: Path) -> None:
    score = Score((Part((Note(0, 22_050, 12),)), Part(), Part(), Part()), 22_050)
    (tmp_path / "a.tx2.txt").write_text(tx2_text(score))
    desk.filing.open(tmp_path / "a.tx2.txt")
    desk.settle()
    assert desk.state.score.parts[0].notes[0].pitch == 36
    assert "1 notes outside the voices' ranges were shifted by octaves." in desk.texts[0]


@pytest.mark.parametrize("ending", [".ftm.txt", ".fms.txt"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_trackers_text_is_read_as_editors_save_it(tmp_path: Path, ending: str, encoding: str) -> None:
    written, saved = tmp_path / f"written{ending}", tmp_path / "saved.txt"
    write_music({written: Music(tune())}, Forms())
    saved.write_text(written.read_text("utf-8"), encoding)
    assert read_music(saved).origin == read_music(written).origin


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.mid", None, r"gone.mid no longer exists"),
        ("broken.mid", b"MThd", r"broken.mid: cut off in its header"),
        ("noise.mid", b"\x00" * 100, r"noise.mid: not a MIDI file"),
        ("cut.lakhnes", b"PK\x03\x04", r"cut.lakhnes: not a session, or a broken one"),
        ("song.wav", b"RIFF", r"song.wav is sound"),
        ("thesis.pdf", b"%PDF", r"thesis.pdf has no known ending"),
        ("thesis", b"%PDF", r"a tracker's text (.ftm.txt, .fms.txt)"),
        ("empty.tx1.txt", b"WT_100", r"empty.tx1.txt has no notes"),
        ("empty.ftm.txt", b"", r"empty.ftm.txt: not a text of FamiTracker (its first line"),
        ("other.fms.txt", b"# Famitracker", r"other.fms.txt: not a text of FamiStudio"),
        ("zeros.ftm.txt", bytes(9), r"zeros.ftm.txt: not a text (character 1 is 0)"),
        ("song.0cc", b"FamiTracker Module", r"song.0cc is a module of FamiTracker; export it there as text"),
        ("song.fms", b"FMS!", r"song.fms is a project of FamiStudio; export it there"),
        ("song.nes", b"NES\x1a", r"song.nes is a ROM, which lakhnes writes but does not read"),
        ("..", None, r".. is a folder"),
    ],
)
def test_what_cannot_be_opened_is_said_and_changes_nothing(
    desk: Desk, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    desk.filing.open(tmp_path / name)
    desk.settle()
    assert [message.error for message in desk.said] == [True]
    assert said in desk.texts[0]
    assert (desk.state, desk.store.value.recent) == (KEPT, ())


# Saving


def test_a_new_song_asks_where_to_save(desk: Desk) -> None:
    assert not desk.filing.save()
    assert desk.filing.title == "New song — LakhNES"
    assert desk.filing.suggested(".lakhnes").endswith("LakhNES 77.lakhnes")


def test_a_saved_song_is_saved_there_again(desk: Desk, tmp_path: Path) -> None:
    done: list[str] = []
    desk.studio.session.change("Seed", seed=1)
    assert desk.filing.save(tmp_path / "Night Walk", then=lambda: done.append("then"))
    assert desk.filing.changed
    desk.settle()
    path = tmp_path / "Night Walk.lakhnes"
    assert (desk.filing.path, desk.filing.changed, done) == (path, False, ["then"])
    assert (desk.filing.title, desk.texts) == ("Night Walk — LakhNES", ["Saved Night Walk.lakhnes."])
    assert desk.filing.suggested(".mid") == str(tmp_path / "Night Walk.mid")
    desk.studio.session.change("Seed", seed=2)
    assert desk.filing.changed
    assert desk.filing.save()
    desk.settle()
    assert read_session(path).seed == 2
    assert not desk.filing.changed


def test_what_changed_while_it_was_saved_is_not_saved(desk: Desk, tmp_path: Path) -> None:
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.studio.session.change("Seed", seed=2)
    desk.settle()
    assert desk.filing.changed
    desk.studio.session.undo()
    assert not desk.filing.changed


def test_what_cannot_be_saved_is_said_and_stays_unsaved(desk: Desk, tmp_path: Path) -> None:
    done: list[str] = []
    desk.studio.session.change("Seed", seed=1)
    desk.filing.save(tmp_path / "nowhere" / "a.lakhnes", then=lambda: done.append("then"))
    desk.settle()
    assert "Make its folder first" in desk.texts[0]
    assert desk.said[0].error
    assert (desk.filing.path, desk.filing.changed, done) == (None, True, [])


def test_a_file_that_nobody_agreed_to_replace_stays(desk: Desk, tmp_path: Path) -> None:
    for name in ("a.lakhnes", "a.mid", "a-TR.wav"):
        (tmp_path / name).write_bytes(b"precious")
    stems = ExportRequest(tmp_path / "a.wav", stems=True)
    desk.filing.save(tmp_path / "a")
    desk.filing.export(ExportRequest(tmp_path / "a.mid"))
    desk.filing.export(stems)
    desk.filing.export(replace(stems, replaces=frozenset({tmp_path / "a-P1.wav"})))
    desk.settle()
    assert len([text for text in desk.texts if "already exists and was not replaced" in text]) == 4
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a-TR.wav", "a.lakhnes", "a.mid"]
    assert all(path.read_bytes() == b"precious" for path in tmp_path.glob("a*"))
    assert desk.filing.there(targets(stems)) == [tmp_path / "a-TR.wav"]
    desk.filing.save(tmp_path / "a", replaces=True)
    desk.filing.export(replace(stems, replaces=frozenset(targets(stems))))
    desk.settle()
    assert read_session(tmp_path / "a.lakhnes").seed == 77
    assert (tmp_path / "a-TR.wav").stat().st_size > 1000


def test_what_is_being_written_is_as_good_as_there(desk: Desk, tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a.wav", "b.lakhnes", "c.wav")]
    desk.filing.export(ExportRequest(names[0]))
    desk.filing.save(tmp_path / "b")
    assert desk.filing.there(names) == names[:2]
    desk.settle()
    assert desk.filing.there(names) == names[:2]
    assert desk.filing.there([tmp_path / ("x" * 300)]) == [], "whoever writes it says why it cannot be"


def test_a_session_that_another_window_saved_is_not_replaced(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.lakhnes"
    desk.filing.save(path)
    desk.settle()
    assert not desk.filing.altered
    other = Desk(tmp_path, replace(KEPT, seed=5))
    other.filing.open(path)
    other.settle()
    other.studio.session.change("Seed", seed=6)
    other.filing.save()
    other.settle()
    assert not other.filing.altered
    assert desk.filing.altered
    desk.studio.session.change("Seed", seed=7)
    desk.filing.save()
    desk.settle()
    assert "was not replaced" in desk.texts[-1]
    assert (read_session(path).seed, desk.filing.changed) == (6, True)
    desk.filing.save(replaces=True)
    desk.settle()
    assert (read_session(path).seed, desk.filing.altered) == (7, False)
    path.unlink()
    assert not desk.filing.altered, "what is gone cannot be replaced"
    desk.filing.save()
    desk.settle()
    assert path.exists()
    other.close()


def test_a_session_stands_where_it_stood(desk: Desk, tmp_path: Path) -> None:
    desk.studio.playback.seek(1440)
    desk.filing.save(tmp_path / "a.lakhnes")
    desk.settle()
    desk.studio.new(1)
    assert desk.studio.playback.place == 0
    desk.filing.open(tmp_path / "a.lakhnes")
    desk.settle()
    assert desk.studio.playback.place == 1440
    assert read_song(tmp_path / "a.lakhnes")[1] == Whereabouts(1440), "it tells nobody of folders"


@pytest.mark.parametrize("name", ["mine.mid", "mine.tx2.txt", "mine.vgm"])
def test_music_keeps_its_name(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.filing.export(ExportRequest(tmp_path / name))
    desk.settle()
    desk.filing.open(tmp_path / name)
    desk.settle()
    assert (desk.filing.title, desk.filing.path) == ("mine — LakhNES", None)
    assert desk.filing.suggested(".wav") == str(tmp_path / "mine.wav")
    assert [path.name for path in dragged(desk, tuple(Voice), span=None, each=False)] == ["mine.mid"]
    desk.studio.session.undo()
    assert desk.filing.title == "New song — LakhNES"
    desk.studio.session.redo()
    desk.studio.new()
    assert desk.filing.title == "New song — LakhNES"


# Preferences


def test_preferences_are_saved_beside(desk: Desk, tmp_path: Path) -> None:
    desk.store.change(theme="dark")
    desk.filing.tick()
    desk.settle()
    assert PreferenceStore(desk.store.path).value.theme == "dark"
    desk.store.change(theme="light")
    desk.filing.close()
    assert PreferenceStore(desk.store.path).value.theme == "light"


def test_preferences_that_cannot_be_saved_are_said_once(desk: Desk) -> None:
    desk.store.path.parent.write_bytes(b"no folder")
    desk.store.change(theme="dark")
    for _ in range(3):
        desk.filing.tick()
        desk.settle()
    assert len(desk.said) == 1
    assert "settings cannot be saved" in desk.texts[0]


# Exporting


@pytest.mark.parametrize("name", ["a.mid", "a.wav", "a.flac", "a.vgm", "a.vgz", "a.tx1.txt", "a.tx2.txt"])
def test_the_song_is_written_as_it_is_played(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path, replace(KEPT, bpm=60.0))
    path = tmp_path / name
    desk.filing.export(ExportRequest(path))
    desk.settle()
    assert desk.texts == [f"Wrote {path}."]
    assert desk.store.value.folder == str(tmp_path)
    lengths: dict[str, Callable[[], float]] = {
        ".mid": lambda: read_midi(path).seconds,
        ".txt": lambda: read_text(path).seconds,
        ".wav": lambda: soundfile.info(path).duration,
        ".flac": lambda: soundfile.info(path).duration,
        ".vgm": lambda: read_vgm(path).log.seconds,
        ".vgz": lambda: read_vgm(path).log.seconds,
    }
    assert lengths[path.suffix]() == pytest.approx(8, abs=0.01)
    desk.close()


def test_midi_has_the_tempo_that_is_played(tmp_path: Path) -> None:
    desk = Desk(tmp_path, replace(KEPT, bpm=90.5, beats_per_bar=3))
    desk.filing.export(ExportRequest(tmp_path / "a.mid"))
    desk.filing.export(ExportRequest(tmp_path / "raw.mid", raw_timing=True))
    desk.filing.export(ExportRequest(tmp_path / "exact.mid", exact=True))
    desk.settle()
    grid = import_midi(tmp_path / "a.mid").grid
    assert grid is not None
    assert (grid.bpm, grid.beats_per_bar) == (pytest.approx(90.5, abs=0.001), 3)
    assert read_midi(tmp_path / "exact.mid") == playing(desk.state)[0]
    raw = import_midi(tmp_path / "raw.mid")
    assert raw.grid is None or raw.grid.bpm == 120
    desk.close()


def test_voices_and_bars_are_chosen(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.tx2.txt"
    voices = frozenset({Voice.TR, Voice.NO})
    desk.filing.export(ExportRequest(path, voices=voices, span=(480, 1440)))
    desk.settle()
    written = read_text(path)
    assert written == extract(tune(), (22_050, 3 * 22_050), voices)
    assert written.n_notes == 8


def test_by_itself_what_is_heard_is_written(desk: Desk, tmp_path: Path) -> None:
    desk.studio.session.change_voice("Mute", Voice.TR, muted=True)
    desk.filing.export(ExportRequest(tmp_path / "a.tx2.txt"))
    desk.settle()
    counts = [len(part.notes) for part in read_text(tmp_path / "a.tx2.txt").parts]
    assert counts == [8, 4, 0, 16]


def test_each_voice_has_its_own_instrument(desk: Desk, tmp_path: Path) -> None:
    desk.filing.export(ExportRequest(tmp_path / "a.vgm", voices=frozenset({Voice.NO})))
    desk.studio.session.change_voice("Instrument", Voice.P1, instrument="arcade")
    desk.filing.export(ExportRequest(tmp_path / "same.vgm", voices=frozenset({Voice.NO})))
    desk.studio.session.change_voice("Instrument", Voice.NO, instrument="arcade")
    desk.filing.export(ExportRequest(tmp_path / "other.vgm", voices=frozenset({Voice.NO})))
    desk.settle()
    first, same, other = (read_vgm(tmp_path / f"{name}.vgm").log for name in ("a", "same", "other"))
    assert list(first.values) == list(same.values)
    assert list(first.values) != list(other.values)


def test_sound_is_made_as_it_is_asked_for(desk: Desk, tmp_path: Path) -> None:
    stereo = ExportRequest(tmp_path / "a.wav", stereo=True, sample_rate=48_000, bits=24)
    desk.filing.export(stereo)
    desk.filing.export(ExportRequest(tmp_path / "b.wav", stems=True, stereo=True, loops=True, passes=2))
    desk.settle()
    sound = soundfile.info(tmp_path / "a.wav")
    assert (sound.channels, sound.samplerate, sound.subtype) == (2, 48_000, "PCM_24")
    stems = sorted(path.name for path in tmp_path.glob("b-*.wav"))
    assert stems == ["b-NO.wav", "b-P1.wav", "b-P2.wav", "b-TR.wav"]
    assert soundfile.info(tmp_path / "b-P1.wav").duration == pytest.approx(8, abs=0.1)
    assert all(str(tmp_path / name) in desk.texts[1] for name in stems)


def test_faders_are_in_the_sound(desk: Desk, tmp_path: Path) -> None:
    def peak(name: str, **request: Any) -> float:
        desk.filing.export(ExportRequest(tmp_path / name, voices=frozenset({Voice.P1}), **request))
        desk.settle()
        written = name.replace(".wav", "-P1.wav") if request else name
        return float(np.abs(soundfile.read(tmp_path / written)[0]).max())

    full, stem = peak("full.wav"), peak("stem.wav", stems=True)
    desk.studio.session.change_voice("Volume", Voice.P1, volume=0.5)
    half = peak("half.wav")
    assert half < 0.55 * full
    assert peak("stem2.wav", stems=True) == stem, "a stem is mixed elsewhere"
    desk.studio.session.change_voice("Volume", Voice.P1, volume=0.25)
    assert peak("quarter.wav") == pytest.approx(half / 2, rel=0.01)


def test_a_loop_is_one_in_a_vgm_file(desk: Desk, tmp_path: Path) -> None:
    desk.filing.export(ExportRequest(tmp_path / "a.vgm", loops=True))
    desk.settle()
    assert read_vgm(tmp_path / "a.vgm").log.loop == 0


def test_a_loop_is_one_in_an_ogg_file(desk: Desk, tmp_path: Path) -> None:
    for name, loops in (("a.ogg", True), ("b.ogg", False)):
        desk.filing.export(ExportRequest(tmp_path / name, sample_rate=48_000, loops=loops))
        desk.settle()
        frames = soundfile.info(tmp_path / name).frames
        assert soundfile.info(tmp_path / name).samplerate == 48_000
        comments = (tmp_path / name).read_bytes()
        assert (b"LOOPSTART=0" in comments) is loops
        assert (f"LOOPLENGTH={frames}".encode() in comments) is loops


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.nsf", b"NESM\x1a"),
        ("a.nsfe", b"NSFE"),
        ("a.nes", b"NES\x1a"),
        ("a.ftm.txt", b"# FamiTracker text export"),
        ("a.fms.txt", b"Project TempoMode"),
    ],
)
def test_the_console_and_trackers_get_their_files(
    desk: Desk, tmp_path: Path, name: str, begins: bytes
) -> None:
    desk.filing.export(ExportRequest(tmp_path / name, loops=True))
    desk.settle()
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert f"Wrote {tmp_path / name}." in desk.texts[-1]


def test_a_cancelled_export_leaves_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []

    def export(state: SongState, request: ExportRequest, tell: Callable[[float], None], _: str) -> None:
        def progress(part: float) -> None:
            heard.append(part)
            job.cancel()
            tell(part)

        real(state, request, progress)

    real = filing_module.exports.export
    monkeypatch.setattr(filing_module.exports, "export", export)
    job = desk.filing.export(ExportRequest(tmp_path / "a.wav"))
    desk.settle()
    assert len(heard) == 1
    assert (desk.texts, list(tmp_path.glob("*a*"))) == ([], [])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (ExportRequest(Path("a.xyz")), "has no ending that says a format"),
        (ExportRequest(Path("nowhere/a.wav")), "there is no folder"),
        (ExportRequest(Path("a.wav"), sample_rate=8000), "8000 Hz is not made"),
        (ExportRequest(Path("a.mid"), span=(9600, 10_000)), "no notes in these bars"),
        (ExportRequest(Path("a.mid"), voices=frozenset()), "no notes in the song"),
    ],
)
def test_what_cannot_be_exported_is_said(
    desk: Desk, tmp_path: Path, wanted: ExportRequest, said: str
) -> None:
    desk.filing.export(replace(wanted, path=tmp_path / wanted.path))
    desk.settle()
    assert said in desk.texts[0]
    assert desk.said[0].error


@pytest.mark.parametrize("span", [None, (960, 1920)])
def test_an_empty_song_has_nothing_to_choose(span: tuple[int, int] | None) -> None:
    with pytest.raises(OptionError, match="have no notes"):
        chosen(SongState(), tuple(Voice), span)


# Dragging out


def dragged(desk: Desk, voices: tuple[Voice, ...], *, span: tuple[int, int] | None, each: bool) -> list[Path]:
    came: list[list[Path]] = []
    desk.filing.drag_files(voices, span, each=each, done=came.append)
    desk.settle()
    (paths,) = came
    return paths


def test_a_song_is_dragged_out_as_one_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path, replace(KEPT, bpm=100.0))
    (path,) = dragged(desk, tuple(Voice), span=None, each=False)
    assert path.name == "LakhNES 77.mid"
    imported = import_midi(path)
    assert imported.score.n_notes == tune().n_notes
    assert imported.grid is not None
    assert imported.grid.bpm == pytest.approx(100)
    (again,) = dragged(desk, (Voice.P1,), span=None, each=False)
    assert again != path
    assert path.exists()
    desk.close()
    assert not path.exists()
    assert not path.parent.parent.exists()


def test_a_selection_is_dragged_out_a_file_for_each_voice(desk: Desk) -> None:
    paths = dragged(desk, (Voice.P1, Voice.NO), span=(960, 1920), each=True)
    assert [path.name for path in paths] == ["LakhNES 77 Pulse 1.mid", "LakhNES 77 Noise.mid"]
    counts = [[len(part.notes) for part in read_midi(path).parts] for path in paths]
    assert counts == [[2, 0, 0, 0], [0, 0, 0, 4]]
    assert read_midi(paths[0]).parts[0].notes[0].onset == 0


def test_nothing_to_drag_is_said(desk: Desk) -> None:
    calls: list[str] = []
    desk.filing.drag_files(
        (), None, each=True, done=lambda paths: calls.append("done"), failed=lambda: calls.append("failed")
    )
    desk.settle()
    desk.studio.poll()
    assert calls == ["failed"]
    assert "These voices have no notes" in desk.texts[0]


def test_what_is_dragged_while_the_window_closes_is_not_left(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make = tempfile.mkdtemp

    def late(*args: Any, **options: Any) -> str:
        desk.filing.close()
        return make(*args, **options)

    monkeypatch.setattr(tempfile, "mkdtemp", late)
    desk.filing.drag_files((Voice.P1,), None, each=False, done=lambda paths: None)
    desk.settle()
    assert not list(tmp_path.glob("lakhnes-*"))
