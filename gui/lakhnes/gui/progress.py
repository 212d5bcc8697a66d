"""The running task and a button that cancels it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from lakhnes.gui.buttons import Button
from lakhnes.gui.fields import reading
from lakhnes.studio.jobs import Job, Jobs

_STEPS = 1000


class JobBar(QWidget):
    """The oldest visible job; hidden if there is none."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        """Shows jobs.

        Args:
            jobs: what is being done.
            parent: where it is.
        """
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job | None = None
        self.setObjectName("jobs")
        self.label = reading("job")
        self.bar = QProgressBar()
        self.bar.setObjectName("job-progress")
        self.bar.setMaximumWidth(160)
        self.bar.setTextVisible(False)
        self.cancel = Button("Cancel", "Cancel this task", text="Cancel")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.label, self.bar, self.cancel):
            row.addWidget(widget)
        self.cancel.clicked.connect(self._cancel)
        self.refresh()

    def refresh(self) -> None:
        """Show the progress; called at each poll."""
        told = [job for job in self._jobs.running if not job.quiet]
        self._job = told[0] if told else None
        if self.isHidden() == bool(told):
            self.setVisible(bool(told))
        if self._job is not None:
            self._show(self._job, len(told) - 1)

    def _show(self, job: Job, others: int) -> None:
        text = f"Cancelling: {job.label}" if job.cancelled else job.label
        if others:
            text += f", and {others} more"
        if text != self.label.text():
            self.label.setText(text)
            self.bar.setAccessibleName(text)
        self.cancel.setEnabled(not job.cancelled)
        progress = job.progress
        most = 0 if progress is None else _STEPS  # Qt's sign for nobody knows
        if self.bar.maximum() != most:
            self.bar.setMaximum(most)
        if progress is not None:
            self.bar.setValue(round(progress * _STEPS))

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self.refresh()
