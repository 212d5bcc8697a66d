"""Says which sound output pyo finds, as a program of its own: PortAudio ends the process where it finds none.

Prints one line of JSON: `kind` (`jack`, `portaudio` or `none`) and `name` of the device.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import NoReturn

FLAG = "--probe-sound"
"""With this a frozen program does what this module does as a program."""


def probe() -> dict[str, str]:
    """Look for a JACK server, then for an output of PortAudio."""
    os.environ["PYO_GUI_WX"] = "0"
    os.environ["JACK_NO_START_SERVER"] = "1"
    pyo = import_module("pyo")
    server = pyo.Server(audio="jack", duplex=0, jackname="lakhnes-probe", verbosity=0)
    server.deactivateMidi()
    server.boot()
    if server.getIsBooted():
        server.shutdown()
        return {"kind": "jack", "name": "JACK"}
    default = pyo.pa_get_default_output()
    if default < 0:
        return {"kind": "none", "name": ""}
    names, numbers = pyo.pa_get_output_devices()
    return {"kind": "portaudio", "name": dict(zip(numbers, names, strict=True)).get(default, "sound output")}


def main() -> NoReturn:
    """Print the result and end the process."""
    print(json.dumps(probe()), flush=True)  # noqa: T201
    os._exit(0)  # what pyo does at the end takes half a second


if __name__ == "__main__":
    main()
