"""The network: an ONNX session with its ring of memories, its metadata, and the list of models."""
