import io
import random

import mido
import pytest

from lakhnes.bridge.track_bytes import file_bytes, track_bytes


@pytest.mark.parametrize("seed", range(20))
def test_files_are_those_of_mido(seed: int) -> None:
    """Every length of a number, and running status across notes, controls and meta messages."""
    rng = random.Random(seed)
    midi = mido.MidiFile(type=1, ticks_per_beat=22_050)
    tracks = []
    for _ in range(rng.randint(1, 4)):
        track, messages, tick = mido.MidiTrack(), [], 0
        for _ in range(rng.randint(0, 60)):
            wait = rng.choice((0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152))
            tick += wait
            kind = rng.choice(("note_on", "note_on", "control_change", "program_change", "set_tempo"))
            if kind == "set_tempo":
                message = mido.MetaMessage(kind, tempo=rng.randint(1, 900_000), time=wait)
            else:
                message = mido.Message(kind, channel=rng.randint(0, 1), time=wait)
            track.append(message)
            messages.append((tick, bytes(message.bytes())))
        after = rng.choice((0, 1, 300))
        track.append(mido.MetaMessage("end_of_track", time=after))
        midi.tracks.append(track)
        tracks.append(track_bytes(messages, tick + after))
    expected = io.BytesIO()
    midi.save(file=expected)
    assert file_bytes(tracks, 22_050) == expected.getvalue()
