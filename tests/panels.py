"""What tests of the app's panels share: hands, and a count of what they did."""

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider, QWidget

from lakhnes.studio.session import Session


def steps(session: Session) -> int:
    """How many steps can be undone; they are done again."""
    count = 0
    while session.undo() is not None:
        count += 1
    for _ in range(count):
        session.redo()
    return count


def wheel(widget: QWidget, notches: int) -> None:
    """Turns the wheel over the middle of a widget; up if positive."""
    centre = QPointF(widget.rect().center())
    event = QWheelEvent(
        centre,
        QPointF(widget.mapToGlobal(centre.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def drag(slider: QSlider, shifts: list[int]) -> None:
    """Takes a slider's handle and moves it to so many pixels from where it was, one after the other."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    handle = slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider)
    start = handle.center()
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    for shift in shifts:
        QTest.mouseMove(slider, start + QPoint(shift, 0))
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=start + QPoint(shifts[-1], 0))
