"""Draws the spectrum of a 12.5 % pulse at 2 kHz: ours, and one that is sampled naively.

python benchmarks/alias_picture.py -o docs/alias.svg
"""

import argparse
from pathlib import Path

import numpy as np
from render import SAMPLE_RATE, tone

WIDTH, HEIGHT, LEFT, TOP, FLOOR = 860, 250, 60, 34, -120.0
BOX = f'width="{WIDTH}" height="{HEIGHT}"'


def spectrum(sound: np.ndarray) -> np.ndarray:
    """Level in dB under the loudest partial, the highest of each of `WIDTH` slices from 0 to 22.05 kHz."""
    power = np.abs(np.fft.rfft((sound - sound.mean()) * np.blackman(len(sound)))) ** 2
    slices = np.array([part.max() for part in np.array_split(power, WIDTH)])
    return np.maximum(10 * np.log10(slices / slices.max() + 1e-30), FLOOR)


def panel(top: int, title: str, levels: np.ndarray) -> str:
    """One diagram."""
    points = " ".join(f"{LEFT + x},{top + HEIGHT * level / FLOOR:.1f}" for x, level in enumerate(levels))
    marks = ""
    for db in range(0, int(FLOOR) - 1, -20):
        y = top + HEIGHT * db / FLOOR
        marks += f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        marks += f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{db}</text>'
    for khz in range(0, 23, 2):
        x = LEFT + khz * 1000 / (SAMPLE_RATE / 2) * WIDTH
        marks += f'<text x="{x:.0f}" y="{top + HEIGHT + 16}" text-anchor="middle">{khz}</text>'
    return (
        f'<rect x="{LEFT}" y="{top}" {BOX} fill="#fff" stroke="#888"/>{marks}'
        f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>'
        f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="1"/>'
    )


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    ours, hz = tone()
    naive = (np.arange(len(ours)) * hz / SAMPLE_RATE % 1 < 1 / 8).astype(np.float64)
    below = TOP + HEIGHT + 60
    size = f'width="{LEFT + WIDTH + 20}" height="{below + HEIGHT + 40}"'
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        panel(TOP, f"lakhnes: a 12.5 % pulse of {hz:.0f} Hz, band-limited", spectrum(ours)),
        panel(below, "the same pulse sampled as it is: between its harmonics lies alias", spectrum(naive)),
        f'<text x="{LEFT + WIDTH // 2}" y="{below + HEIGHT + 34}" text-anchor="middle">kHz; dB</text></svg>',
    )
    args.output.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
