"""Models for servers: ONNX, SavedModel and Hugging Face folders."""
