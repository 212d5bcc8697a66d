"""onnxruntime without its telemetry. No other module imports onnxruntime; an import contract keeps it so.

From version 1.32 on, onnxruntime writes a device id and a database of events into the user's cache folder and
sends them to its makers, unless an environment variable is set when it is imported.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

ort.disable_telemetry_events()  # on Windows, events go to the system's own diagnostics as well

__all__ = ["open_session", "ort"]


def open_session(data: bytes, threads: int = 1, *, widen: bool = False) -> ort.InferenceSession:
    """Opens the content of an ONNX file on the CPU.

    Args:
        data: the content, which `check_model` has passed.
        threads: threads of one step.
        widen: turns weights of 8 bits into floats once, rather than use operators made for them.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep what a long prompt has needed
    # A thread that waits for others must spin, or waking it costs more than it brings; one alone must not.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1" if widen else "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # as it was checked
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
