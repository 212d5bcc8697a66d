"""Events, the score, the model and composing: all that runs without PyTorch.

The sub-packages, from the bottom up:

- `music`: events and vocabulary, the score, texts, scales, and the codec between score and tokens
- `time`: the grid of beats and bars, finding it, and moving notes onto it
- `model`: the network with its ring of memories, and which models there are
- `decode`: from logits to events
- `compose`: what a user asks for

Start at `music/events.py` and `music/score.py` for the music, `model/model.py` for the network,
`decode/composer.py` for the loop that joins them. The names below are in the order of a task: load a model,
say what the music should be, compose, read and write.
"""

from lakhnes.runtime.compose.live_composer import LiveComposer
from lakhnes.runtime.compose.loops import compose_loop
from lakhnes.runtime.compose.steering import Steering
from lakhnes.runtime.compose.timeline import Moment, Timeline
from lakhnes.runtime.decode.composer import Composer, compose_together
from lakhnes.runtime.decode.constraints import Constraint, Density, Muted, PitchRange, Scale
from lakhnes.runtime.decode.monotony import Monotony
from lakhnes.runtime.decode.sampling import Sampling
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.decode.time_constraints import Grid, MaxLength
from lakhnes.runtime.errors import (
    CheckpointError,
    DataError,
    FormatError,
    LakhnesError,
    MissingExtraError,
    MissingLibraryError,
    ModelError,
    MusicError,
    OptionError,
    OutputError,
    PortError,
    PortLostError,
    ScreenError,
    SoundError,
    TrainingError,
)
from lakhnes.runtime.model.catalog import DEFAULT_MODEL, EXPRESSIVE_MODEL, find_model, list_models
from lakhnes.runtime.model.model import Batch, Model, Snapshot
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.scales import parse_scale
from lakhnes.runtime.music.score import Change, Note, Part, Score, ScoreBuilder
from lakhnes.runtime.music.texts import parse_text, read_text, tx1_text, tx2_text
from lakhnes.runtime.music.timing import Codec, Timing, clean_frames
from lakhnes.runtime.music.vocabulary import Vocabulary, tx1, tx2
from lakhnes.runtime.time.grid import BeatGrid, grid_of_beats
from lakhnes.runtime.time.quantise import quantised, retimed
from lakhnes.runtime.time.tempo import BeatFollower, Beats, track_beats

__all__ = [  # noqa: RUF022 - in the order of a task
    # Load a model.
    "list_models",
    "find_model",
    "DEFAULT_MODEL",
    "EXPRESSIVE_MODEL",
    "Model",
    "Batch",
    "Snapshot",
    "ModelInfo",
    # Say what the music should be.
    "Steering",
    "Sampling",
    "parse_scale",
    "Constraint",
    "Scale",
    "Muted",
    "PitchRange",
    "Density",
    "MaxLength",
    "Grid",
    "Monotony",
    # Compose: one song, many at once, one that ends in its beginning, and live.
    "Song",
    "Composer",
    "compose_together",
    "compose_loop",
    "LiveComposer",
    "Timeline",
    "Moment",
    # The music.
    "SAMPLE_RATE",
    "Voice",
    "Kind",
    "Event",
    "Score",
    "Part",
    "Note",
    "Change",
    "ScoreBuilder",
    # Its time.
    "BeatGrid",
    "grid_of_beats",
    "track_beats",
    "Beats",
    "BeatFollower",
    "quantised",
    "retimed",
    "clean_frames",
    # Tokens and texts.
    "Vocabulary",
    "tx1",
    "tx2",
    "Codec",
    "Timing",
    "parse_text",
    "read_text",
    "tx1_text",
    "tx2_text",
    # What can go wrong.
    "LakhnesError",
    "OptionError",
    "ModelError",
    "MusicError",
    "FormatError",
    "OutputError",
    "DataError",
    "CheckpointError",
    "TrainingError",
    "PortError",
    "PortLostError",
    "SoundError",
    "ScreenError",
    "MissingExtraError",
    "MissingLibraryError",
]
