"""The desktop app: thin widgets over `lakhnes.studio`, which has all that is musical.

Start at `main_window.py`, which joins them; `roll.py` is the piano roll. Needs the `gui` extra.
"""

from lakhnes.gui.app import run

__all__ = ["run"]
