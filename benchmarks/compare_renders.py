"""How near our sound is to that of other emulators.

    python benchmarks/compare_renders.py SONG.vgm=REFERENCE.flac [...] [--json] [--mixer legacy]

Waveforms of two emulators cannot be compared, as the phase of a divider is arbitrary; what is heard can:

- mel: mean of |difference| in dB, over 64 mel bands from 40 Hz to 16 kHz, frames of 2048 every 512 samples,
  averaged over four, with a floor 50 dB below the loudest
- p95: the 95th percentile of the same
- ltas: mean |difference| in dB of the bands' averages over the whole song
- env: correlation of the levels of 10 ms windows

Both lose what lies below 20 Hz and are brought to the same RMS first.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from lakhnes.apu.render import Filters, Mixer, render
from lakhnes.apu.vgm import read_vgm

RATE = 44_100
FRAME, HOP, BANDS = 2048, 512, 64

Sound = NDArray[np.float64]


def mel_filters() -> Sound:
    """Triangles, float64 [BANDS, FRAME // 2 + 1]."""
    low, high = 2595 * np.log10(1 + np.array([40, 16_000]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.arange(FRAME // 2 + 1) * RATE / FRAME
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def bands(sound: Sound) -> Sound:
    """Power in mel bands, float64 [frames, BANDS], averaged over four frames."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2 @ mel_filters().T
    whole = len(power) // 4 * 4
    return power[:whole].reshape(-1, 4, BANDS).mean(1)


def without_drift(sound: Sound) -> Sound:
    """A sound without what lies below 20 Hz."""
    padded = np.fft.rfft(sound, 2 * len(sound))
    hz = np.fft.rfftfreq(2 * len(sound), 1 / RATE)
    return np.asarray(np.fft.irfft(padded * (hz / 20) ** 4 / (1 + (hz / 20) ** 4))[: len(sound)])


def compare(ours: Sound, reference: Sound) -> dict[str, float]:
    """The measures of two sounds."""
    n = min(len(ours), len(reference))
    ours, reference = without_drift(ours[:n]), without_drift(reference[:n])
    ours = ours * np.sqrt((reference**2).mean() / (ours**2).mean())
    a, b = bands(ours), bands(reference)
    floor = max(a.max(), b.max()) * 1e-5
    difference = np.abs(10 * np.log10(np.maximum(a, floor) / np.maximum(b, floor)))
    average = np.abs(10 * np.log10(np.maximum(a.mean(0), floor) / np.maximum(b.mean(0), floor)))
    window = RATE // 100
    levels = [
        np.sqrt((x[: n // window * window].reshape(-1, window) ** 2).mean(1)) for x in (ours, reference)
    ]
    return {
        "mel": float(difference.mean()),
        "p95": float(np.percentile(difference, 95)),
        "ltas": float(average.mean()),
        "env": float(np.corrcoef(*levels)[0, 1]),
    }


def main() -> None:
    """Prints a row for each pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="VGM=REFERENCE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mixer", type=Mixer, default=Mixer.HARDWARE)
    parser.add_argument("--filters", type=Filters, default=Filters.FLAT)
    args = parser.parse_args()
    rows = {}
    for pair in args.pairs:
        song, reference = pair.split("=")
        log = read_vgm(Path(song)).log
        ours = np.concatenate(list(render(log, mixer=args.mixer, filters=args.filters)))
        theirs, rate = soundfile.read(reference)
        if rate != RATE or theirs.ndim != 1:
            parser.error(f"{reference} is not mono at {RATE} Hz")
        rows[Path(reference).stem] = compare(ours.astype(np.float64), theirs)
    rows["average"] = {
        key: float(np.mean([row[key] for row in rows.values()])) for key in next(iter(rows.values()))
    }
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':50s}    mel    p95   ltas    env")
    for name, row in rows.items():
        print(f"{name:50s} " + " ".join(f"{row[key]:6.2f}" for key in ("mel", "p95", "ltas", "env")))


if __name__ == "__main__":
    main()
