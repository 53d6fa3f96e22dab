"""ONNX, int8: a quarter of float32's size, two to three times as fast.

Command: tfminilm export --config=onnx_int8 --model=M --output=int8/
The folder is that of `transformers_js` with `onnx/model_quantized.onnx` alone.
Weights are int8 with one scale a channel, the embedding tables with one a row;
each token's activations are rounded in front of each product by a scale of
their own. It computes the same on processors with and without VNNI, whose
absence lets other int8 weights overflow. Measured on a 6-layer, 384-wide
encoder: 23.0 MB.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="onnx_int8",
        format="onnx_int8",
        precision="dynamic_wi8_afp32",
        lengths=(32, 128),
        max_difference=1.0,
        min_cosine=0.97,
        min_agreement=0.8,
    ).config(mode)
