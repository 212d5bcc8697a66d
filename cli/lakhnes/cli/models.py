"""`lakhnes models`: list the models."""

from __future__ import annotations

import json
from typing import Any

from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say


def models(as_json: JsonFlag = False) -> None:
    """List the models that can compose."""
    from lakhnes.runtime import DEFAULT_MODEL, LakhnesError, list_models
    from lakhnes.runtime.model.model_file import read_model

    rows: list[dict[str, Any]] = []
    for name, path in list_models().items():
        row: dict[str, Any] = {"name": name, "default": name == DEFAULT_MODEL, "path": str(path)}
        try:
            _, info = read_model(path)
        except LakhnesError as error:
            rows.append({**row, "error": str(error)})
            continue
        size = round(path.stat().st_size / 1e6, 1)
        calibrated = info.recall is not None
        rows.append({**row, "megabytes": size, **info.to_dict(), "recall": calibrated, "name": name})
    if as_json:
        say(json.dumps(rows))
        return
    for row in rows:
        say(f"{row['name']}{' (default)' if row['default'] else ''}")
        if "error" in row:
            say(f"  {row['error']}")
            continue
        say(
            f"  {row['n_layer']} layers of {row['d_model']}, {row['n_parameters'] / 1e6:.1f} M parameters, "
            f"{row['precision']}, {row['megabytes']} MB, memory of {row['mem_len']} events, "
            f"timing {row['timing']}{', calibrated' if row['recall'] else ''}"
        )
        say(f"  {row['provenance'] or 'made from ' + row['source']}")
        say(f"  {row['path']}")
