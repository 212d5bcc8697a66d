"""Events, the score, the model and composing: all that runs without PyTorch.

Start at `events.py` and `score.py` for the music, `model.py` for the network, `composer.py` for the loop that
joins them. It imports numpy and onnxruntime and nothing else of the project.
"""

from lakhnes.runtime.catalog import DEFAULT_MODEL, EXPRESSIVE_MODEL, find_model, list_models
from lakhnes.runtime.composer import Composer, compose_together
from lakhnes.runtime.constraints import (
    Constraint,
    Density,
    Muted,
    PitchRange,
    Scale,
)
from lakhnes.runtime.errors import (
    CheckpointError,
    DataError,
    FormatError,
    LakhnesError,
    MissingExtraError,
    MissingLibraryError,
    ModelError,
    OptionError,
    OutputError,
    PortError,
    PortLostError,
    ScreenError,
    SoundError,
    TrainingError,
)
from lakhnes.runtime.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.grid import BeatGrid, grid_of_beats
from lakhnes.runtime.live_composer import LiveComposer
from lakhnes.runtime.loops import compose_loop
from lakhnes.runtime.model import Batch, Model, Snapshot
from lakhnes.runtime.model_info import ModelInfo
from lakhnes.runtime.monotony import Monotony
from lakhnes.runtime.quantise import quantised, retimed
from lakhnes.runtime.sampling import Sampling
from lakhnes.runtime.scales import parse_scale
from lakhnes.runtime.score import Change, Note, Part, Score, ScoreBuilder
from lakhnes.runtime.song import Song
from lakhnes.runtime.steering import Steering
from lakhnes.runtime.tempo import BeatFollower, Beats, track_beats
from lakhnes.runtime.texts import parse_text, read_text, tx1_text, tx2_text
from lakhnes.runtime.time_constraints import Grid, MaxLength
from lakhnes.runtime.timeline import Moment, Timeline
from lakhnes.runtime.timing import Codec, Timing, clean_frames
from lakhnes.runtime.vocabulary import Vocabulary, tx1, tx2

__all__ = [
    "DEFAULT_MODEL",
    "EXPRESSIVE_MODEL",
    "SAMPLE_RATE",
    "Batch",
    "BeatFollower",
    "BeatGrid",
    "Beats",
    "Change",
    "CheckpointError",
    "Codec",
    "Composer",
    "Constraint",
    "DataError",
    "Density",
    "Event",
    "FormatError",
    "Grid",
    "Kind",
    "LakhnesError",
    "LiveComposer",
    "MaxLength",
    "MissingExtraError",
    "MissingLibraryError",
    "Model",
    "ModelError",
    "ModelInfo",
    "Moment",
    "Monotony",
    "Muted",
    "Note",
    "OptionError",
    "OutputError",
    "Part",
    "PitchRange",
    "PortError",
    "PortLostError",
    "Sampling",
    "Scale",
    "Score",
    "ScoreBuilder",
    "ScreenError",
    "Snapshot",
    "Song",
    "SoundError",
    "Steering",
    "Timeline",
    "Timing",
    "TrainingError",
    "Vocabulary",
    "Voice",
    "clean_frames",
    "compose_loop",
    "compose_together",
    "find_model",
    "grid_of_beats",
    "list_models",
    "parse_scale",
    "parse_text",
    "quantised",
    "read_text",
    "retimed",
    "track_beats",
    "tx1",
    "tx1_text",
    "tx2",
    "tx2_text",
]
