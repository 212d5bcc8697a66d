"""onnxruntime without its telemetry. No other module imports onnxruntime; an import contract keeps it so.

From version 1.32 on, onnxruntime writes a device id and a database of events into the user's cache folder and
sends them to its makers, unless an environment variable is set when it is imported.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

ort.disable_telemetry_events()  # on Windows, events go to the system's own diagnostics as well

__all__ = ["ort"]
