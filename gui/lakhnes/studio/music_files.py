"""Music in and out of files; the ending of a name decides the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lakhnes.apu.console import (
    Frames,
    frames_of,
    nsf_bytes,
    nsfe_bytes,
    play_nsf,
    read_nsf,
    rom_bytes,
    score_on_frames,
)
from lakhnes.apu.console.frames import frame_place
from lakhnes.apu.instruments import FRAME_SAMPLES, InstrumentSet, instrument_set
from lakhnes.apu.register_log import NO_TAGS, RegisterLog, Tags
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.apu.sound_files import SOUND_FORMATS, SoundSettings, stems, write_sound
from lakhnes.apu.trackers import (
    famistudio_reader,
    famistudio_text,
    famitracker_reader,
    famitracker_text,
    parse_famistudio,
    parse_famitracker,
)
from lakhnes.apu.transcribe import score_of_registers
from lakhnes.apu.vgm import read_vgm
from lakhnes.apu.vgm_writer import vgm_bytes
from lakhnes.bridge import MIDI_ENDINGS, MidiStyle, import_midi, midi_bytes
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import FormatError, MusicError, OptionError
from lakhnes.runtime.files import Content, write_all
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.texts import (
    decode_text,
    read_text_bytes,
    score_from_text,
    tx1_text,
    tx2_text,
)
from lakhnes.runtime.provenance import Provenance, record_in
from lakhnes.runtime.reading import reading
from lakhnes.runtime.time.grid import BeatGrid, grid_of_beats
from lakhnes.runtime.time.quantise import quantised, retimed
from lakhnes.runtime.time.tempo import SURE, track_beats
from lakhnes.studio.file_formats import ENDINGS, MIDI, SOUNDS, TX1, TX2, VGM, VGZ
from lakhnes.studio.file_names import is_album, name_of, stem_file

_MIDI, _TX1, _TX2 = MIDI.endings, TX1.endings, TX2.endings
_TRACKERS = {".ftm.txt": famitracker_text, ".fms.txt": famistudio_text}
_VGM = (*VGM.endings, *VGZ.endings)
_NSF = (".nsf", ".nsfe")
_CONSOLE = {".nsf": nsf_bytes, ".nsfe": nsfe_bytes, ".nes": rom_bytes}
_SOUND = tuple(ending for form in SOUNDS for ending in form.endings)
_READABLE = (
    "a MIDI (.mid), a text (.tx1.txt, .tx2.txt), a tracker's text (.ftm.txt, .fms.txt), "
    "a VGM (.vgm, .vgz) or an NSF (.nsf, .nsfe)"
)
_TRACKER_TEXTS = {
    famitracker_reader.MAGIC: parse_famitracker,
    f"{famistudio_reader.MAGIC} ": parse_famistudio,
}
_TRACKER_ENDINGS = {".ftm.txt": parse_famitracker, ".fms.txt": parse_famistudio}
_UNREADABLE = {
    (".ftm", ".0cc", ".dnm"): "a module of FamiTracker; export it there as text (.txt), and give that",
    (".fms",): "a project of FamiStudio; export it there as FamiStudio text (.txt), and give that",
    (".nes",): "a ROM, which lakhnes writes but does not read; give the music as .nsf",
    (".lakhnes",): "a session of the app; open it there, and export it",
}
_SYSTEM = "Nintendo Entertainment System"


@dataclass(frozen=True, slots=True)
class Forms:
    """How music becomes files."""

    midi: MidiStyle = MidiStyle.DAW
    raw_timing: bool = False
    """Whether MIDI for DAWs keeps every sample, rather than bars and beats."""
    registers: RegisterMode = RegisterMode.IMPROVED
    instruments: str | InstrumentSet | None = None
    """They or their name; None for `lead`, or for `plain` where notes have dynamics or registers are
    legacy.

    Raises:
        OptionError: if there are none of that name.
    """
    sound: SoundSettings = field(default_factory=SoundSettings)
    stems: bool = False
    """Whether each voice gets a sound file of its own."""
    voices: frozenset[Voice] | None = None
    """Those that get one; None for all."""
    passes: int = 1
    """How often a loop is played in a sound file."""
    tags: Tags = NO_TAGS
    """What files say about the music: its title, author and licence, where they are given."""
    provenance: bool = True
    """Whether files say how the music was made, if that is known and their format has a place for it. With
    legacy registers none does, as LakhNES 2019 wrote no texts."""

    def __post_init__(self) -> None:
        if isinstance(self.instruments, str):
            instrument_set(self.instruments)
        if self.stems and self.sound.pan is not None:
            raise OptionError("A stem is mono; leave out --stereo and --pan, or --stems.")

    def instruments_of(self, score: Score) -> InstrumentSet:
        """How the notes of a score are played."""
        own_dynamics = self.registers is RegisterMode.LEGACY or score.has_expression
        chosen = self.instruments or ("plain" if own_dynamics else "lead")
        return instrument_set(chosen) if isinstance(chosen, str) else chosen


@dataclass(frozen=True, slots=True)
class Music:
    """Music as it was read or composed: notes, or what is written to the sound chip."""

    origin: Score | RegisterLog
    remarks: tuple[str, ...] = ()
    """What was decided or left out on the way."""
    grid: BeatGrid | None = None
    """Where its beats lie, if that is known."""
    loops: bool = False
    """Whether its end leads into its beginning; a VGM file then says so."""
    intro_bars: int = 0
    """Bars before the loop, if it loops and has a grid."""
    settled: bool = False
    """Whether its notes stay where they are, even where no grid is known; else they are put onto its beat."""
    name: str = ""
    """What the file that it was read from is called."""
    record: str = ""
    """The record of how it was made, as `Provenance.from_text` reads it; empty if there is none."""

    def score(self) -> tuple[Score, tuple[str, ...]]:
        """The notes, and remarks on how they were found."""
        if isinstance(self.origin, Score):
            return self.origin, ()
        return score_of_registers(self.origin)

    def on_grid(self) -> Music:
        """The music with its bars and beats, where they are known or can be found; else itself."""
        score, _ = self.score()
        if self.grid is not None or self.settled or not score.n_notes:
            return self
        beats = track_beats(score)
        if beats.confidence < SURE:
            return replace(self, remarks=(*self.remarks, "No steady beat was found; its timing stays raw."))
        return Music(quantised(score, beats), self.remarks, grid_of_beats(beats), record=self.record)

    def converted(self) -> Music:
        """The music of a file, on its way into another one: its record says so, or is left out if damaged."""
        if not self.record:
            return self
        try:
            record = Provenance.from_text(self.record, self.name)
        except FormatError as error:
            return replace(self, record="", remarks=(*self.remarks, f"{error} It is left out."))
        return replace(self, record=replace(record, converted=True).to_text())

    def in_time(self, percent: float | None, bpm: float | None, beats: float) -> Music:
        """The music quantised, at another tempo, or counted in other beats.

        Args:
            percent: how far notes move onto rows, 0..100; None for not at all.
            bpm: the tempo; None for its own.
            beats: 2 counts twice as many beats, 0.5 half as many.

        Raises:
            MusicError: if it has no steady beat.
            OptionError: if the tempo is out of range.
        """
        score, remarks = self.score()
        grid = self.grid
        if grid is None or percent is not None:
            found = track_beats(score)
            if found.confidence < SURE:
                raise MusicError("No steady beat was found in the song, so its timing cannot be changed.")
            score = score if percent is None else quantised(score, found, percent / 100)
            grid = grid or grid_of_beats(found)
        grid = grid if beats == 1 else grid.scaled(beats)
        if bpm is not None:
            score, grid = retimed(score, grid, bpm)
        return Music(score, (*self.remarks, *remarks), grid, record=self.record)

    def log(self, forms: Forms) -> RegisterLog:
        """What is written to the chip."""
        if isinstance(self.origin, RegisterLog):
            return self.origin
        return self._played(self.origin, forms)

    def frames(self, forms: Forms) -> Frames:
        """What a console writes to the chip, frame by frame."""
        if isinstance(self.origin, RegisterLog):
            return frames_of(self.origin)
        score, remarks = score_on_frames(self.origin, self.grid)
        frames = frames_of(self._played(score, forms), on_frames=True)
        return replace(frames, remarks=(*remarks, *frames.remarks))

    def _played(self, score: Score, forms: Forms) -> RegisterLog:
        log = registers_of(score, forms.registers, forms.instruments_of(score))
        if not (self.loops and log.length):
            return log
        return replace(log, loop=self._loop_from(score, log.length))

    def _loop_from(self, score: Score, length: int) -> int:
        """Return the sample at which the loop begins: where its bar does in this form of the score."""
        if self.grid is None or not self.intro_bars or not isinstance(self.origin, Score):
            return 0
        start = self.grid.sample(self.intro_bars * self.grid.bar_ticks)
        start = start if score is self.origin else frame_place(self.origin, self.grid)(start) * FRAME_SAMPLES
        return min(start, length - 1)

    def tags(self, given: Tags, name: str) -> Tags:
        """What is said about the music: what is given, else what it says itself.

        Args:
            given: title, author and licence, where they are not empty.
            name: the title, where there is no other.
        """
        own = self.origin.tags if isinstance(self.origin, RegisterLog) else Tags(system=_SYSTEM)
        asked = {"title": given.title, "author": given.author, "licence": given.licence}
        own = replace(own, **{field: text for field, text in asked.items() if text}, record=self.record)
        return own if own.shown_title else replace(own, title=name)


def read_music(
    path: Path,
    voices: str = "",
    *,
    arpeggio: bool = False,
    song: int | None = None,
    seconds: float | None = None,
) -> Music:
    """Reads music.

    Args:
        path: the file; its ending says what it is, or its beginning that it is MIDI.
        voices: which tracks of a MIDI file voices play, such as `P1=Flute,TR=3`; empty for what seems best.
        arpeggio: whether chords of a MIDI file become arpeggios where one voice plays them.
        song: which song of an NSF file, from 1; None for the one that it begins with.
        seconds: how long that is; None for up to where its loop or the song ends.

    Raises:
        FormatError: if the file is broken.
        MusicError: if it is of no known kind, or it is not there.
        OptionError: if voices are to play what it has not.
        OSError: if it cannot be opened.
    """
    name = path.name.lower()
    with reading(path, FormatError, "Give another file"):
        there, is_file = path.exists(), path.is_file()
    if not there:
        raise MusicError(f"{path} is not there; give {_READABLE}.")
    if not is_file:
        raise MusicError(f"{path} is no file; give {_READABLE}.")
    if name.endswith(_SOUND):
        raise MusicError(f"{path} is sound, and notes cannot be read from it; give {_READABLE}.")
    if not name.endswith(_NSF) and (song is not None or seconds is not None):
        raise OptionError(f"{path} holds one song; give --song and --length for NSF files only.")
    with reading(path, FormatError, "Give another file"):
        if name.endswith(MIDI_ENDINGS) or (not name.endswith((*ENDINGS, ".txt")) and _begins_as_midi(path)):
            imported = import_midi(path, voices, arpeggio=arpeggio)
            record = record_in("\n".join(imported.texts))
            return Music(imported.score, imported.remarks, imported.grid, name=name_of(path), record=record)
        if voices or arpeggio:
            raise OptionError(f"{path} has no tracks; give voices and arpeggios for MIDI files only.")
        if name.endswith(_NSF):
            played = play_nsf(read_nsf(path), song, seconds)
            return Music(played.log, played.remarks, name=name_of(path), record=played.log.tags.record)
        if name.endswith((*_TX1, *_TX2, ".txt")):
            return _of_text(path)
        if name.endswith(_VGM):
            file = read_vgm(path)
            return Music(file.log, file.remarks, name=name_of(path), record=file.log.tags.record)
    for endings, kind in _UNREADABLE.items():
        if name.endswith(endings):
            raise MusicError(f"{path} is {kind}.")
    raise MusicError(f"{path} has no known ending; give {_READABLE}.")


def _of_text(path: Path) -> Music:
    """Read a text of any kind: what it begins with says which, else its ending."""
    data = read_text_bytes(path)
    try:
        text = decode_text(data, "replace")
    except ValueError:
        return Music(score_from_text(data, path))  # which says why it is no text
    parsers = [parse for magic, parse in _TRACKER_TEXTS.items() if text.startswith(magic)]
    parsers += [parse for ending, parse in _TRACKER_ENDINGS.items() if path.name.lower().endswith(ending)]
    if not parsers:
        return Music(score_from_text(data, path), name=name_of(path))
    tracked = parsers[0](text, path)
    return Music(
        tracked.score,
        tracked.remarks,
        tracked.grid,
        settled=True,
        name=name_of(path),
        record=tracked.tags.record,
    )


def _begins_as_midi(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith((b"MThd", b"SMF2CLIP"))


def write_music(
    pieces: Mapping[Path, Music | Sequence[Music]],
    forms: Forms,
    *,
    progress: Callable[[float], None] = lambda part: None,
) -> tuple[list[Path], tuple[str, ...]]:
    """Writes music into files, all of them or none.

    Args:
        pieces: what goes into each; names that `check_outputs` takes. Several songs go where `is_album` says.
        forms: how.
        progress: takes how much of a sound file is done, 0..1.

    Returns:
        The files, and remarks on what was left out in them.

    Raises:
        LakhnesError: if something cannot be made or written.
    """
    files: dict[Path, Content] = {}
    remarks: dict[str, None] = {}
    for path, given in pieces.items():
        name = path.name.lower()
        songs = (given,) if isinstance(given, Music) else tuple(given)
        if not forms.provenance or forms.registers is RegisterMode.LEGACY:
            songs = tuple(replace(music, record="") for music in songs)
        if is_album(path):
            files[path], told = _console_content(path, songs, forms)
            remarks.update(dict.fromkeys(told))
            continue
        (music,) = songs
        if name.endswith((*_VGM, *_SOUND)):
            if name.endswith(_VGM) and isinstance(music.origin, RegisterLog):
                remarks.update(dict.fromkeys(music.origin.left_out("a VGM file", kept=("FDS",))))
            files.update(_chip_contents(path, music, forms, progress))
            continue
        score, left_out = music.score()
        music = replace(music, origin=score)  # read back from registers once, whatever comes after
        if name.endswith(tuple(_TRACKERS)):
            files[path], unsaid = _tracker_content(path, music.on_grid(), forms)
            remarks.update(dict.fromkeys((*left_out, *music.remarks, *unsaid)))
            continue
        if name.endswith(_MIDI) and forms.midi is MidiStyle.DAW:
            music = replace(music, grid=None) if forms.raw_timing else music.on_grid()
        score, _ = music.score()
        remarks.update(dict.fromkeys((*left_out, *music.remarks)))
        if name.endswith(_TX1):
            files[path] = tx1_text(score).encode() + b"\n"
        elif name.endswith(_TX2):
            files[path] = tx2_text(score).encode() + b"\n"
        else:
            files[path] = midi_bytes(score, forms.midi, music.grid, text=music.record)
    write_all(files)
    return list(files), tuple(remarks)


def _tracker_content(path: Path, music: Music, forms: Forms) -> tuple[Content, tuple[str, ...]]:
    """What a tracker reads, and remarks on what it cannot say."""
    score, _ = music.score()
    tags = music.tags(forms.tags, name_of(path))
    instruments = forms.instruments_of(score)
    write = next(write for ending, write in _TRACKERS.items() if path.name.lower().endswith(ending))
    loop_bar = music.intro_bars if music.loops else None
    text, remarks = write(score, music.grid, instruments, tags, loop_bar=loop_bar)
    return text.encode(), remarks


def _console_content(path: Path, songs: Sequence[Music], forms: Forms) -> tuple[Content, list[str]]:
    """What a console plays, and remarks on it, which name the song where there are several."""
    alone = len(songs) == 1
    frames: list[Frames] = []
    remarks: list[str] = []
    for number, music in enumerate(songs, 1):
        given = forms.tags if alone else replace(forms.tags, title="")
        tags = music.tags(given, name_of(path) if alone else music.name or f"{name_of(path)} {number}")
        made = replace(music.frames(forms), tags=tags)
        remarks += made.remarks if alone else [f"{tags.shown_title}: {remark}" for remark in made.remarks]
        frames.append(made)
    tags = frames[0].tags if alone else replace(forms.tags, title=forms.tags.title or name_of(path))
    write = next(write for ending, write in _CONSOLE.items() if path.name.lower().endswith(ending))
    return write(frames, tags), remarks


def _chip_contents(
    path: Path, music: Music, forms: Forms, progress: Callable[[float], None]
) -> dict[Path, Content]:
    name = path.name.lower()
    log = music.log(forms)
    log = replace(log, tags=replace(log.tags, record=music.record))
    if name.endswith(_VGM):
        if forms.registers is not RegisterMode.LEGACY or forms.tags != NO_TAGS:
            log = replace(log, tags=music.tags(forms.tags, name_of(path)))
        return {path: vgm_bytes(log, compressed=name.endswith(".vgz"))}
    if forms.passes > 1 or not name.endswith(".ogg"):  # whose comments say where the loop is
        log = log.unrolled(forms.passes)
    parts: dict[Path, SoundSettings] = {path: forms.sound}
    if forms.stems:
        left_out = {voice.name for voice in Voice if forms.voices is not None and voice not in forms.voices}
        each = stems(log, forms.sound)
        parts = {stem_file(path, name): each[name] for name in each if name not in left_out}
    file_format = SOUND_FORMATS[next(ending for ending in _SOUND if name.endswith(ending))]

    def writer(settings: SoundSettings) -> Content:
        return lambda file: write_sound(file, log, settings, file_format=file_format, progress=progress)

    return {part: writer(settings) for part, settings in parts.items()}
