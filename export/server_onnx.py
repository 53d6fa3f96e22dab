"""Servers, ONNX: one file for onnxruntime, any batch and any length.

Command: tfminilm export --config=server_onnx --model=M --output=onnx/
The folder holds `model.onnx` (opset 17, written by tf2onnx) with the int32
inputs `token_ids`, `segment_ids` and `padding_mask` `[batch, length]`, and
`vocab.txt`. What onnxruntime computes is compared with Keras at two lengths.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="server_onnx",
        format="onnx",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
