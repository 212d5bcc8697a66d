"""The voice strips, driven as a user does."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import drag, steps, wheel
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox
from pytestqt.qtbot import QtBot

from lakhnes.apu import instrument_names
from lakhnes.gui.pitch_box import PitchBox, note_name, note_pitch
from lakhnes.gui.theme import DARK, LIGHT
from lakhnes.gui.voice_strips import VoiceStrips
from lakhnes.runtime import Voice
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.studio.session import Session
from lakhnes.studio.state import SongState, VoiceSettings
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import View

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
EACH = pytest.mark.parametrize("voice", Voice)


@pytest.fixture
def studio() -> Iterator[Studio]:
    studio = Studio(SongState())
    yield studio
    studio.close()


@pytest.fixture
def strips(qtbot: QtBot, studio: Studio) -> VoiceStrips:
    strips = VoiceStrips(studio)
    qtbot.addWidget(strips)
    strips.show()
    strips.activateWindow()
    return strips


def retype(qtbot: QtBot, box: QAbstractSpinBox, text: str) -> None:
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, f"{text}\r")


@EACH
def test_switches(qtbot: QtBot, strips: VoiceStrips, studio: Studio, voice: Voice) -> None:
    strip = strips.strips[voice]
    for button, field in ((strip.mute, "muted"), (strip.solo, "solo"), (strip.lock, "locked")):
        qtbot.mouseClick(button, LEFT)
        assert getattr(studio.session.state.voices[voice], field)
        strips.show_state(studio.session.state)
        assert button.isChecked()
        strips.toggle(voice, field)
        strips.show_state(studio.session.state)
        assert not button.isChecked()
    assert studio.session.state == SongState(seed=studio.session.state.seed)
    assert steps(studio.session) == 6


def test_switching_is_called_by_its_name(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    qtbot.mouseClick(strips.strips[Voice.TR].lock, LEFT)
    assert studio.session.undo_label == "Lock Triangle"
    strips.toggle(Voice.TR, "locked")
    assert studio.session.undo_label == "Unlock Triangle"


def test_a_drag_of_a_volume_is_one_step(strips: VoiceStrips, studio: Studio) -> None:
    drag(strips.strips[Voice.P2].volume, [-5, -15, -30])
    assert 0 < studio.session.state.voices[Voice.P2].volume < 1
    drag(strips.strips[Voice.NO].volume, [-5, -8])
    assert steps(studio.session) == 2
    studio.session.undo()
    studio.session.undo()
    strips.show_state(studio.session.state)
    assert strips.strips[Voice.P2].volume.value() == 100


@EACH
def test_instrument_and_channel(qtbot: QtBot, strips: VoiceStrips, studio: Studio, voice: Voice) -> None:
    strip = strips.strips[voice]
    strip.instrument.setFocus()
    qtbot.keyClick(strip.instrument, Qt.Key.Key_Home)
    assert studio.session.state.voices[voice].instrument == instrument_names()[0]
    retype(qtbot, strip.channel, "16")
    assert studio.session.state.voices[voice].channel == 16
    wheel(strips.strips[Voice.P1 if voice is Voice.NO else Voice.NO].channel, 1)
    assert steps(studio.session) == 2


def test_ranges_are_names_of_notes(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    strip = strips.strips[Voice.P1]
    assert (strip.lowest.text(), strip.highest.text()) == ("any", "any")
    retype(qtbot, strip.lowest, "c4")
    retype(qtbot, strip.highest, "Bb5")
    voice = studio.session.state.voices[Voice.P1]
    assert (voice.lowest, voice.highest) == (60, 82)
    assert (strip.lowest.text(), strip.highest.text()) == ("C4", "A#5")
    assert studio.session.state.request.ranges == {Voice.P1: (60, 82)}
    retype(qtbot, strip.lowest, "any")
    assert studio.session.state.voices[Voice.P1].lowest is None


def test_arrows_go_from_any_to_the_ends(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    strip = strips.strips[Voice.TR]
    strip.lowest.setFocus()
    qtbot.keyClick(strip.lowest, Qt.Key.Key_Up)
    strip.highest.setFocus()
    qtbot.keyClick(strip.highest, Qt.Key.Key_Down)
    voice = studio.session.state.voices[Voice.TR]
    assert (voice.lowest, voice.highest) == (21, 108)
    qtbot.keyClick(strip.highest, Qt.Key.Key_Up)
    assert studio.session.state.voices[Voice.TR].highest is None


def test_limits_never_cross(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    strip = strips.strips[Voice.P2]
    retype(qtbot, strip.highest, "C4")
    retype(qtbot, strip.lowest, "E5")
    voice = studio.session.state.voices[Voice.P2]
    assert (voice.lowest, voice.highest) == (76, 76)
    strips.show_state(studio.session.state)
    assert strip.highest.text() == "E5"


def test_the_noise_has_numbers(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    strip = strips.strips[Voice.NO]
    retype(qtbot, strip.lowest, "3")
    retype(qtbot, strip.highest, "c4")
    voice = studio.session.state.voices[Voice.NO]
    assert (voice.lowest, voice.highest) == (3, None)
    assert strip.lowest.text() == "3"


def test_what_is_no_pitch_is_forgotten(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    strip = strips.strips[Voice.P1]
    retype(qtbot, strip.lowest, "C4")
    for text in ("c", "h9", "C-1", "C99", "x", "an"):
        strip.lowest.setFocus()
        strip.lowest.selectAll()
        qtbot.keyClicks(strip.lowest, text)
        strip.channel.setFocus()
        assert studio.session.state.voices[Voice.P1].lowest == 60
        assert strip.lowest.text() == "C4"


@given(st.integers(0, 127))
def test_names_of_notes_are_their_pitches(pitch: int) -> None:
    assert note_pitch(note_name(pitch)) == pitch
    assert note_pitch(f" {note_name(pitch).lower()}") == pitch


def test_names_of_notes() -> None:
    assert [note_name(pitch) for pitch in (21, 60, 61, 108)] == ["A0", "C4", "C#4", "C8"]
    assert [note_pitch(name) for name in ("Db4", "cb4", "b#3", "H2", "C", "")] == [
        61,
        59,
        60,
        None,
        None,
        None,
    ]


def test_pitch_boxes_read_what_they_write(qtbot: QtBot) -> None:
    for voice, highest in ((voice, highest) for voice in Voice for highest in (False, True)):
        box = PitchBox(
            "Pitch", "A pitch", VOCABULARY_PITCHES[voice], highest=highest, named=voice != Voice.NO
        )
        qtbot.addWidget(box)
        for value in range(box.minimum(), box.maximum() + 1):
            assert box.valueFromText(box.textFromValue(value)) == value
        for pitch in (*VOCABULARY_PITCHES[voice], None):
            box.show_pitch(pitch)
            assert box.pitch == pitch


def test_the_sound_as_a_whole(qtbot: QtBot, strips: VoiceStrips, studio: Studio) -> None:
    master = strips.master
    drag(master.volume, [-10, -20])
    quiet = studio.session.state.volume
    assert 0 < quiet < 0.8
    strips.show_state(studio.session.state)
    qtbot.mouseClick(master.mute, LEFT)
    strips.show_state(studio.session.state)
    assert studio.session.state.volume == 0
    assert master.level.text() == "muted"
    assert master.mute.isChecked()
    qtbot.mouseClick(master.mute, LEFT)
    strips.show_state(studio.session.state)
    assert studio.session.state.volume == quiet
    assert not master.mute.isChecked()
    assert steps(studio.session) == 3


def test_meters_show_their_voices(strips: VoiceStrips) -> None:
    strips.show_view(View(peaks=(0.5, 0.0, 1.0, 0.25)))
    shares = [strips.strips[voice].meter.share for voice in Voice]
    assert shares[Voice.TR] == 1
    assert shares[Voice.TR] > shares[Voice.P1] > shares[Voice.NO] > shares[Voice.P2] == 0


def test_swatches_have_the_colours_of_the_theme(strips: VoiceStrips) -> None:
    for theme in (LIGHT, DARK):
        strips.set_theme(theme)
        for voice in Voice:
            image = strips.strips[voice].swatch.grab().toImage()
            colours = {image.pixelColor(x, y).rgb() for x in range(18) for y in range(12)}
            assert theme.voices[voice].rgb() in colours


def test_any_state_is_shown_and_stays(strips: VoiceStrips, studio: Studio) -> None:
    @st.composite
    def voice_states(draw: st.DrawFn, voice: Voice) -> VoiceSettings:
        pitches = st.none() | st.sampled_from(VOCABULARY_PITCHES[voice])
        return VoiceSettings(
            draw(st.integers(1, 16)),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(pitches),
            draw(pitches),
            draw(st.sampled_from(instrument_names())),
            draw(st.integers(0, 100)) / 100,
        )

    @settings(max_examples=40, deadline=None)
    @given(st.tuples(*map(voice_states, Voice)), st.integers(0, 100))
    def check(voices: tuple[VoiceSettings, VoiceSettings, VoiceSettings, VoiceSettings], volume: int) -> None:
        state = SongState(voices=voices, volume=volume / 100)
        studio.session = session = Session(state)
        strips.show_state(state)
        for voice, strip in strips.strips.items():
            assert voices[voice] == VoiceSettings(
                strip.channel.value(),
                strip.mute.isChecked(),
                strip.solo.isChecked(),
                strip.lock.isChecked(),
                strip.lowest.pitch,
                strip.highest.pitch,
                strip.instrument.currentText(),
                strip.volume.value() / 100,
            )
        assert strips.master.volume.value() == volume
        assert strips.master.mute.isChecked() == (volume == 0)
        assert (session.state, session.undo_label) == (state, None)

    check()


def test_everything_has_a_name_of_its_own(strips: VoiceStrips) -> None:
    names = []
    for strip in strips.strips.values():
        fields = (strip.mute, strip.solo, strip.lock, strip.volume, strip.instrument, strip.channel)
        for field in (*fields, strip.lowest, strip.highest):
            assert field.toolTip()
            assert field.focusPolicy() & Qt.FocusPolicy.TabFocus
            names.append(field.accessibleName())
    assert len(set(names)) == len(names)
