"""The available models: those in the package, those of the user, and any folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from lakhnes.runtime.errors import ModelError
from lakhnes.runtime.model.model_info import MODEL_FILE

DEFAULT_MODEL = "nes-bars"
"""Name of the default model."""

EXPRESSIVE_MODEL = "expressive"
"""Name of the model that also composes dynamics and timbre."""

_NAMES_NOW = {"nes-6x384": "nes-frames"}
"""Current names of models that sessions and settings may know by an older name."""


def model_dirs() -> list[Path]:
    """Return the folders that contain named models: the user's, then the package's."""
    user = platformdirs.user_data_path("lakhnes", appauthor=False) / "models"
    return [user, Path(__file__).parents[1] / "models"]


def list_models() -> dict[str, Path]:
    """Return the ONNX file of each named model; a user's model hides one of the package."""
    found: dict[str, Path] = {}
    for folder in model_dirs():
        try:
            files = sorted(child / MODEL_FILE for child in folder.iterdir())
        except OSError:  # missing, or not readable for this user
            continue
        for file in files:
            if os.access(file, os.R_OK):
                found.setdefault(file.parent.name, file)
    return found


def named_model(name: str) -> Path | None:
    """Return the ONNX file of a named model; None if no model has that name."""
    models = list_models()
    return models.get(name, models.get(_NAMES_NOW.get(name, "")))


def name_of(path: Path) -> str | None:
    """Return the name of a model's ONNX file; None for a file outside the model folders."""
    return next((name for name, file in list_models().items() if file == path), None)


def find_model(name_or_dir: str | Path | None = None) -> Path:
    """Return the ONNX file of a model.

    Args:
        name_or_dir: a name, a folder, or an ONNX file; None for the default. A name wins over a folder.

    Raises:
        ModelError: if it does not exist.
    """
    models = list_models()
    wanted = str(DEFAULT_MODEL if name_or_dir is None else name_or_dir)
    named = named_model(wanted)
    if named is not None:
        return named
    path = Path(wanted)
    if not wanted:
        raise ModelError(f"A model without a name: give a model's folder, or one of {', '.join(models)}.")
    if path.is_dir() and (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if path.is_file():
        with path.open("rb"):  # explains why it cannot be read
            return path
    if path.is_dir():
        raise ModelError(f"{path} has no {MODEL_FILE} in it; make one with `lakhnes export`.")
    raise ModelError(f"There is no model {wanted!r}: give a model's folder, or one of {', '.join(models)}.")
