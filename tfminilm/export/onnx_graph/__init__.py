"""ONNX graphs that onnxruntime's optimizer recognises, and their int8 form."""
