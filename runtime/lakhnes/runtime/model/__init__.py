"""The network: an ONNX session with its ring of memories, its description, and which models there are."""
