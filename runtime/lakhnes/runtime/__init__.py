"""Events, scores, models and composing: everything that runs without PyTorch.

The sub-packages, from the bottom up; each imports only those above it:

- `music`: events and vocabulary, the score, editing, texts, scales, and the codec between score and tokens
- `time`: the grid of beats and bars, beat tracking, quantising, and the model's time
- `bars`: music in bars, its tokens row by row and their grammar
- `model`: the network with its ring of memories, and the list of models
- `decode`: turns logits into events
- `compose`: the user's request, and composing

Start at `music/events.py` and `music/score.py` for the music, `model/model.py` for the network,
and `decode/state.py`, `decode/processors.py` and `decode/song.py` for the way from logits to events. The
names below follow the order of a task: load a model, describe the music, compose, read and write.
"""

from lakhnes.runtime.compose.arrange import (
    Composed,
    accompany_rhythm,
    accompany_voices,
    compose_song,
    continue_score,
)
from lakhnes.runtime.compose.dynamics import compose_dynamics
from lakhnes.runtime.compose.form import compose_form, parse_form
from lakhnes.runtime.compose.game_set import GAME_PIECES, GamePiece, GameSet, compose_game_set
from lakhnes.runtime.compose.live_composer import LiveComposer
from lakhnes.runtime.compose.loops import compose_loop
from lakhnes.runtime.compose.regenerate import regenerate
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.compose.side_by_side import side_by_side
from lakhnes.runtime.compose.timeline import Moment, Timeline
from lakhnes.runtime.decode.composer import Composer, compose_together
from lakhnes.runtime.decode.processors import LogitsProcessor
from lakhnes.runtime.decode.sampling import Sampling
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.decode.state import DecodeState
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
    StudyError,
    TrainingError,
)
from lakhnes.runtime.model.catalog import DEFAULT_MODEL, EXPRESSIVE_MODEL, find_model, list_models
from lakhnes.runtime.model.model import Batch, Model, Snapshot
from lakhnes.runtime.model.model_info import ModelInfo
from lakhnes.runtime.music.chords import Chord, parse_chords
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice
from lakhnes.runtime.music.scales import parse_scale
from lakhnes.runtime.music.score import Change, Note, Part, Score, ScoreBuilder
from lakhnes.runtime.music.texts import parse_text, read_text, tx1_text, tx2_text
from lakhnes.runtime.music.timing import Codec, Timing, clean_frames
from lakhnes.runtime.music.vocabulary import Vocabulary, tx1, tx2
from lakhnes.runtime.provenance import Provenance, file_sha256, notes_sha256
from lakhnes.runtime.time.grid import BeatGrid, KeySignature, TimeSignature, grid_of_beats
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
    # Describe the music.
    "Request",
    "Sampling",
    "parse_scale",
    "parse_chords",
    "Chord",
    "parse_form",
    # Compose: from nothing, with existing music, in sections, as a loop, live.
    "compose_song",
    "continue_score",
    "accompany_voices",
    "accompany_rhythm",
    "regenerate",
    "compose_dynamics",
    "compose_form",
    "GAME_PIECES",
    "GamePiece",
    "GameSet",
    "compose_game_set",
    "compose_loop",
    "Composed",
    "side_by_side",
    "LiveComposer",
    "Timeline",
    "Moment",
    # The loop itself: a song takes logits, and processors change them.
    "Composer",
    "compose_together",
    "Song",
    "DecodeState",
    "LogitsProcessor",
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
    # Time.
    "BeatGrid",
    "TimeSignature",
    "KeySignature",
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
    # How a piece was made.
    "Provenance",
    "file_sha256",
    "notes_sha256",
    # Errors.
    "LakhnesError",
    "OptionError",
    "ModelError",
    "MusicError",
    "FormatError",
    "OutputError",
    "DataError",
    "CheckpointError",
    "StudyError",
    "TrainingError",
    "PortError",
    "PortLostError",
    "SoundError",
    "ScreenError",
    "MissingExtraError",
    "MissingLibraryError",
]
