"""The models of a studio: loaded when they are first wanted, and kept."""

from __future__ import annotations

from collections.abc import Callable

from lakhnes.runtime import Model, OptionError
from lakhnes.studio.jobs import Job, Jobs


def _nothing() -> None:
    pass


class Models:
    """Models by name; jobs of the lane `compose` use them, whatever plays live a twin.

    Attributes:
        composing: name of the one that composes; empty before it is loaded.
    """

    def __init__(self, load: Callable[[str], Model], jobs: Jobs) -> None:
        """Has none yet.

        Args:
            load: finds and loads a model by its name or folder.
            jobs: where it is loaded.
        """
        self.composing = ""
        self._load = load
        self._jobs = jobs
        self._loaded: dict[str, Model] = {}
        self._awaited: set[str] = set()  # names of those that the session wants and that are being loaded

    def __contains__(self, name: str) -> bool:
        return name in self._loaded

    def loaded(self, name: str) -> Model | None:
        """Return a model if it is loaded."""
        return self._loaded.get(name)

    def current(self) -> Model:
        """Return the one that composes.

        Raises:
            OptionError: before it is loaded.
        """
        if self.composing not in self._loaded:
            raise OptionError("The model is still loading. Try again in a moment.")
        return self._loaded[self.composing]

    def twin(self, name: str) -> Model:
        """Another one with the weights of a model that is loaded, which composes from now on."""
        self.composing = name
        return self._loaded[name].twin()

    def fetch(
        self,
        name: str,
        then: Callable[[Model], None],
        *,
        quiet: bool = True,
        failed: Callable[[], None] = _nothing,
    ) -> None:
        """Load a model unless it is loaded.

        Args:
            name: of a model, or its folder.
            then: takes the model on the thread of the jobs; an error becomes a message instead.
            quiet: whether it is done without a word.
            failed: is called if it cannot be had.
        """

        def load(job: Job) -> Model:
            try:
                return self._load(name)
            except BaseException:
                self._jobs.post(failed)
                raise

        def loaded(model: Model) -> None:
            self._loaded[name] = model
            then(model)

        if name in self._loaded:
            then(self._loaded[name])
        else:
            self._jobs.start(Job(f"Loading {name}", quiet=quiet), load, loaded, lane="model")

    def expect(self, name: str, then: Callable[[], None], failed: Callable[[], None]) -> None:
        """Load a model for the session, once, however often it is requested in the meantime.

        Args:
            name: of a model, or its folder.
            then: is called when the model is loaded.
            failed: is called if it cannot be had.
        """
        if name in self._awaited:
            return
        self._awaited.add(name)

        def there(_: Model) -> None:
            self._awaited.discard(name)
            then()

        def lost() -> None:
            self._awaited.discard(name)
            failed()

        self.fetch(name, there, failed=lost)
