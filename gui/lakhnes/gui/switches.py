"""The switches of the menus; the preferences store some of them."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from lakhnes.gui.roll import Roll
from lakhnes.studio.editor import STEPS
from lakhnes.studio.playback import Playback
from lakhnes.studio.preferences import PreferenceStore


class Switches:
    """Switches for menu items with a tick."""

    def __init__(
        self,
        roll: Roll,
        playback: Playback,
        store: PreferenceStore,
        *,
        steering: QWidget,
        strips: QWidget,
        volumes: QWidget,
    ) -> None:
        """Restore the switches from the preferences.

        Args:
            roll: where notes are drawn and the playhead is followed.
            playback: what clicks and counts.
            store: what is remembered.
            steering: that can be put away.
            strips: likewise, those of the voices.
            volumes: likewise, the lane under the roll.
        """
        self._roll, self._editor, self._playback, self._store = roll, roll.editor, playback, store
        self._steering, self._strips, self._volumes = steering, strips, volumes
        kept = store.value
        volumes.setVisible(kept.volumes)
        self._editor.step, self._editor.hear = STEPS[kept.step], kept.hear
        playback.metronome.on, playback.counts_in = kept.metronome, kept.counts_in

    def toggle_drawing(self) -> None:
        """Lets a press in the roll draw a note, or select as before."""
        self._roll.drawing = not self._roll.drawing

    def toggle_hearing(self) -> None:
        """Lets notes be heard when they are selected, or no longer."""
        self._editor.hear = not self._editor.hear
        self._store.change(hear=self._editor.hear)

    def toggle_metronome(self) -> None:
        """Lets beats click while the song plays, or no longer."""
        metronome = self._playback.metronome
        metronome.on = not metronome.on
        self._store.change(metronome=metronome.on)

    def toggle_count_in(self) -> None:
        """Counts a bar before the song begins, or no longer."""
        self._playback.counts_in = not self._playback.counts_in
        self._store.change(counts_in=self._playback.counts_in)

    def toggle_follow(self) -> None:
        """Lets the roll go along with the playhead, or stay where it is."""
        self._roll.follow = not self._roll.follow

    def toggle_volumes(self) -> None:
        """Shows or hides the lane of volumes."""
        self._volumes.setVisible(self._volumes.isHidden())
        self._store.change(volumes=not self._volumes.isHidden())

    def toggle_steering(self) -> None:
        """Shows or hides the steering."""
        self._steering.setVisible(self._steering.isHidden())

    def use_length(self, bars: int) -> None:
        """Set the length of new songs in bars; 0 for open-ended songs."""
        self._store.change(new_bars=bars)

    def use_step(self, name: str) -> None:
        """Puts notes on steps of another length."""
        self._editor.step = STEPS[name]
        self._store.change(step=name)

    def toggle_strips(self) -> None:
        """Shows or hides the strips of the voices, for a higher roll."""
        self._strips.setVisible(self._strips.isHidden())
