import pytest
from tiny import tiny_model_of

from lakhnes.runtime import Model, Timing


@pytest.fixture(scope="session", params=[Timing.FRAMES, Timing.BARS])
def small_model(request: pytest.FixtureRequest) -> Model:
    """A tiny model of each way to count time that is shipped, with random weights."""
    return tiny_model_of(timing=request.param, cached=True)
