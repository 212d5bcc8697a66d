"""`lakhnes convert` and `lakhnes render`: between the formats of music, and into sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from lakhnes.cli.options import (
    TIME,
    ArpeggioFlag,
    AuthorOption,
    InstrumentOption,
    JsonFlag,
    LengthOption,
    LicenceOption,
    MidiStyleOption,
    NoProvenanceFlag,
    Outputs,
    RawTiming,
    RegistersOption,
    SongOption,
    SourcesArgument,
    TitleOption,
    VoicesOption,
    finite,
)
from lakhnes.cli.printing import say

_SOUND = "Sound"


def convert(
    sources: SourcesArgument,
    output: Outputs,
    voices: VoicesOption = "",
    arpeggio: ArpeggioFlag = False,
    song: SongOption = None,
    length: LengthOption = None,
    midi: MidiStyleOption = "daw",
    raw_timing: RawTiming = False,
    timing: Annotated[
        Literal["samples", "frames"],
        typer.Option(help="Keep every sample, or clean the song onto the console's 60 frames a second."),
    ] = "samples",
    registers: RegistersOption = "improved",
    instrument: InstrumentOption = "plain",
    quantise: Annotated[
        float | None,
        typer.Option(
            help="Move notes onto the song's rows, by 0 to 100 %. MIDI for DAWs is by 100.",
            callback=finite,
            min=0,
            max=100,
            rich_help_panel=TIME,
        ),
    ] = None,
    bpm: Annotated[
        float | None, typer.Option("--bpm", help="Play the song at this tempo.", rich_help_panel=TIME)
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Count half as many beats.", rich_help_panel=TIME)
    ] = False,
    double: Annotated[
        bool, typer.Option("--double", help="Count twice as many beats.", rich_help_panel=TIME)
    ] = False,
    title: TitleOption = "",
    author: AuthorOption = "",
    licence: LicenceOption = "",
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Converts between MIDI, texts, VGM, NSF, ROMs and sound."""
    from lakhnes.apu import Tags
    from lakhnes.apu.registers import RegisterMode
    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.progress import rendering
    from lakhnes.runtime import clean_frames
    from lakhnes.studio.music_files import Forms, Music, read_music, write_music

    if half and double:
        raise typer.BadParameter("give --half or --double, not both", param_hint="--half")
    _check(output, sources)
    forms = Forms(
        midi=MidiStyle(midi),
        raw_timing=raw_timing,
        registers=RegisterMode(registers),
        instruments=instrument,
        tags=Tags(title, author=author, licence=licence),
        provenance=not no_provenance,
    )
    songs: list[Music] = []
    remarks: list[str] = []
    with rendering("converting") as progress:
        for source in sources:
            music = read_music(source, voices, arpeggio=arpeggio, song=song, seconds=length).converted()
            remarks += music.remarks
            if timing == "frames":
                score, left_out = music.score()
                remarks += left_out
                music = Music(clean_frames(score), name=music.name, record=music.record)
            if quantise is not None or bpm is not None or half or double:
                music = music.in_time(quantise, bpm, 0.5 if half else 2.0 if double else 1.0)
            songs.append(music)
        files, left_out = write_music(dict.fromkeys(output, songs), forms, progress=progress)
    _say(files, sum(music.origin.seconds for music in songs), [*remarks, *left_out], as_json=as_json)


def render(
    sources: SourcesArgument,
    output: Outputs,
    voices: VoicesOption = "",
    arpeggio: ArpeggioFlag = False,
    song: SongOption = None,
    length: LengthOption = None,
    instrument: InstrumentOption = None,
    registers: RegistersOption = "improved",
    rate: Annotated[
        int, typer.Option(help="Sample rate in Hz: 44100, 48000 or 96000.", rich_help_panel=_SOUND)
    ] = 44_100,
    bits: Annotated[
        int, typer.Option(help="24 bits a sample, or 16 with dither.", rich_help_panel=_SOUND)
    ] = 24,
    stereo: Annotated[
        bool,
        typer.Option(
            "--stereo", help="Two channels, with the voices spread a little.", rich_help_panel=_SOUND
        ),
    ] = False,
    pan: Annotated[
        list[str] | None,
        typer.Option(
            help="Place of a voice, -1 (left) to 1 (right): 'P1:-0.5'. May be given again.",
            rich_help_panel=_SOUND,
        ),
    ] = None,
    volume: Annotated[
        list[str] | None,
        typer.Option(
            help="Volume of a voice or another chip, 0 to 1: 'NO:0.5', 'VRC6:0.7'. May be given again.",
            rich_help_panel=_SOUND,
        ),
    ] = None,
    stems: Annotated[
        bool,
        typer.Option(
            "--stems",
            help="A file for each voice, as it sounds alone: NAME-P1 and so on.",
            rich_help_panel=_SOUND,
        ),
    ] = False,
    mixer: Annotated[
        Literal["hardware", "legacy"],
        typer.Option(
            help="As the console mixes, or triangle and noise softer as LakhNES had them.",
            rich_help_panel=_SOUND,
        ),
    ] = "hardware",
    filters: Annotated[
        Literal["nes", "famicom", "flat"],
        typer.Option(
            help="The console's filters; fewer; or none, with the steady part.", rich_help_panel=_SOUND
        ),
    ] = "nes",
    loops: Annotated[
        int,
        typer.Option(help="How often the loop of a VGM is played.", min=1, max=1000, rich_help_panel=_SOUND),
    ] = 1,
    fade: Annotated[
        float,
        typer.Option(
            help="Seconds in which the end fades out.", callback=finite, min=0, rich_help_panel=_SOUND
        ),
    ] = 0.0,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Bring the loudest sample to -1 dBFS.", rich_help_panel=_SOUND)
    ] = False,
    title: TitleOption = "",
    author: AuthorOption = "",
    licence: LicenceOption = "",
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Plays music on the 2A03: into a WAV or FLAC file, or an NSF or ROM that plays it there."""
    from lakhnes.apu import Tags
    from lakhnes.apu.register_log import RegisterLog
    from lakhnes.apu.registers import RegisterMode
    from lakhnes.apu.render import Filters, Mixer
    from lakhnes.apu.sound_files import SPREAD, SoundSettings
    from lakhnes.cli.progress import rendering
    from lakhnes.cli.request_options import parse_by_channel
    from lakhnes.runtime.errors import OutputError
    from lakhnes.studio.file_formats import SOUNDS, format_of, usual_endings
    from lakhnes.studio.file_names import is_album
    from lakhnes.studio.music_files import Forms, read_music, write_music

    places = parse_by_channel(pan, "place", "-1 to 1, such as 'P1:-0.5'")
    volumes = parse_by_channel(volume, "volume", "0 to 1, such as 'NO:0.5'")
    sound = SoundSettings(
        sample_rate=rate,
        bits=bits,
        mixer=Mixer(mixer),
        filters=Filters(filters),
        pan={**(SPREAD if stereo else {}), **places} if stereo or pan else None,
        volumes=volumes or None,
        normalize=normalize,
        fade_seconds=fade,
    )
    forms = Forms(
        registers=RegisterMode(registers),
        instruments=instrument,
        sound=sound,
        stems=stems,
        passes=loops,
        tags=Tags(title, author=author, licence=licence),
        provenance=not no_provenance,
    )
    _check(output, sources)
    for path in output:
        if format_of(path.name) not in SOUNDS and not is_album(path):
            raise OutputError(
                f"{path} is no sound; end it in {usual_endings(SOUNDS)}, or use `lakhnes convert`."
            )
    with rendering("rendering") as progress:
        songs = [
            read_music(source, voices, arpeggio=arpeggio, song=song, seconds=length).converted()
            for source in sources
        ]
        files, left_out = write_music(dict.fromkeys(output, songs), forms, progress=progress)
    remarks: list[str] = []
    seconds = 0.0
    for source, music in zip(sources, songs, strict=True):
        remarks += music.remarks
        if not isinstance(music.origin, RegisterLog):
            seconds += music.origin.seconds
            continue
        seconds += music.origin.unrolled(loops).seconds
        if loops > 1 and music.origin.loop is None:
            remarks.append(f"{source} has no loop; it is played once.")
        if instrument is not None:
            remarks.append(f"{source} has its own instruments; --instrument changes nothing.")
    _say(files, seconds, [*remarks, *left_out], as_json=as_json)


def _check(output: list[Path], sources: list[Path]) -> None:
    """Refuses outputs that cannot be written, and several songs for one that holds a single one."""
    from lakhnes.runtime.errors import OutputError
    from lakhnes.studio.file_names import check_outputs, is_album

    for source in sources:
        check_outputs(output, source)
    for path in output:
        if len(sources) > 1 and not is_album(path):
            raise OutputError(f"{path} holds one song; write {len(sources)} into a .nsf, .nsfe or .nes.")


def _say(files: list[Path], seconds: float, remarks: list[str], *, as_json: bool) -> None:
    """Says what was done."""
    remarks = list(dict.fromkeys(remarks))
    if as_json:
        say(json.dumps({"files": list(map(str, files)), "seconds": seconds, "remarks": remarks}))
        return
    for remark in remarks:
        say(remark, error=True)
    say(f"wrote {', '.join(map(str, files))}: {seconds:.1f} s")
