"""Control from a DAW or a keyboard: which controllers steer what.

| CC | steers | 0 | 64 | 127 |
|---|---|---|---|---|
| 70 | temperature | 0.3 | 0.95 | 1.6 |
| 71 | top-k | 1 | 33 | all |
| 72 | density | -3 (sparse) | 0 | 3 (dense) |
| 73, 74, 75, 76 | mute Pulse 1, Pulse 2, Triangle, Noise | heard | muted | muted |
| 77 | new take: what comes from the next bar on is new | - | now | now |
| 120, 123 | panic: everything off | now | now | now |

They are the controllers that MIDI sets aside for sounds, on any channel, so most keyboards can send them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import read_at_most

_MAX_MAP_BYTES = 1 << 16


class Control(StrEnum):
    """What can be steered."""

    TEMPERATURE = "temperature"
    TOP_K = "top-k"
    DENSITY = "density"
    MUTE_P1 = "mute-p1"
    MUTE_P2 = "mute-p2"
    MUTE_TR = "mute-tr"
    MUTE_NO = "mute-no"
    NEW_TAKE = "new-take"
    PANIC = "panic"

    @classmethod
    def learnable(cls) -> tuple[Control, ...]:
        """Return the controls that any controller may steer; a panic has its own controllers."""
        return tuple(control for control in cls if control is not cls.PANIC)


MUTES = {
    Control.MUTE_P1: Voice.P1,
    Control.MUTE_P2: Voice.P2,
    Control.MUTE_TR: Voice.TR,
    Control.MUTE_NO: Voice.NO,
}

LAST_CONTROLLER = 119
"""The last number of a controller; those above are modes of a channel."""

_PANIC = (120, 123)  # all sound off, all notes off: what a DAW's own panic sends


@dataclass(frozen=True, slots=True)
class ControlMap:
    """Which controller steers what."""

    controllers: tuple[tuple[int, Control], ...] = (
        (70, Control.TEMPERATURE),
        (71, Control.TOP_K),
        (72, Control.DENSITY),
        (73, Control.MUTE_P1),
        (74, Control.MUTE_P2),
        (75, Control.MUTE_TR),
        (76, Control.MUTE_NO),
        (77, Control.NEW_TAKE),
    )
    """Controller numbers 0..119 and what each steers."""

    def find(self, controller: int) -> Control | None:
        """What a controller steers; None for nothing."""
        if controller in _PANIC:
            return Control.PANIC
        return dict(self.controllers).get(controller)

    def learned(self, controller: int, control: Control) -> ControlMap:
        """The map with a controller that steers something from now on, and nothing else.

        Raises:
            OptionError: for a number that no controller has.
        """
        if not 0 <= controller <= LAST_CONTROLLER:
            raise OptionError(f"There is no controller {controller}; give 0 to {LAST_CONTROLLER}.")
        if control not in Control.learnable():
            raise OptionError("A panic has controllers of its own, 120 and 123.")
        kept = [(cc, what) for cc, what in self.controllers if cc != controller and what is not control]
        return replace(self, controllers=(*kept, (controller, control)))

    @classmethod
    def read(cls, path: Path) -> ControlMap:
        """Read a map that `write` wrote; controls that the file leaves out have no controller.

        Raises:
            OptionError: if the file cannot be read or is no such map.
        """
        try:
            found = json.loads(read_at_most(path, _MAX_MAP_BYTES))
            read = cls(())
            for name, controller in dict(found).items():
                if type(controller) is not int:
                    raise OptionError(
                        f"{controller!r} is no number of a controller; give 0 to {LAST_CONTROLLER}."
                    )
                read = read.learned(controller, Control(name))
        except OptionError as error:
            raise OptionError(f"{path}: {error}") from None
        except OSError as error:
            raise OptionError(f"{path} cannot be read: {error.strerror or error}.") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise OptionError(
                f"{path} does not map controls to controllers ({printable(str(error), 100)}). Write it as "
                f'{{"temperature": 70}}; the controls are {", ".join(Control.learnable())}.'
            ) from None
        return read

    def write(self, path: Path) -> None:
        """Write the map as JSON, from controls to numbers of controllers.

        Raises:
            OutputError: if the file cannot be written.
        """
        told = {str(control): controller for controller, control in self.controllers}
        write_whole(path, (json.dumps(told, indent=1) + "\n").encode())


def steered(request: Request, control: Control, value: int) -> Request:
    """What is asked for after a controller has moved.

    Args:
        request: what was asked for.
        control: temperature, top-k or density; others change nothing.
        value: of the controller, 0..127.
    """
    sampling = request.sampling
    if control is Control.TEMPERATURE:
        return replace(request, sampling=replace(sampling, temperature=round(0.3 + 1.3 * value / 128, 3)))
    if control is Control.TOP_K:
        return replace(request, sampling=replace(sampling, top_k=None if value == 127 else 1 + value // 2))
    if control is Control.DENSITY:
        amount = (value - 64) / 64 if value < 64 else (value - 64) / 63
        return replace(request, density=round(3 * amount, 3))
    return request
