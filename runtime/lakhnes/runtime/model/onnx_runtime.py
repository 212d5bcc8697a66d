"""onnxruntime without its telemetry. An import contract forbids importing onnxruntime in any other module.

From version 1.32, onnxruntime writes a device id and a database of events into the user's cache folder, and
sends them to its makers, unless an environment variable is set when it is imported.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

ort.disable_telemetry_events()  # on Windows, events also go to the system's own diagnostics

__all__ = ["open_session", "ort"]


def open_session(data: bytes, threads: int = 1, *, widen: bool = False) -> ort.InferenceSession:
    """Open the content of an ONNX file on the CPU.

    Args:
        data: content that `check_model` has accepted.
        threads: threads of one step.
        widen: whether to turn 8-bit weights into floats once, instead of using special operators.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the memory of a long prompt
    # A thread that waits for others must spin, because waking it costs too much; a single thread must not.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1" if widen else "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # unchanged, as it was checked
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
