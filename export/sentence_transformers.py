"""sentence-transformers: PyTorch's weights and ONNX, in float32 and int8.

Command: tfminilm export --config=sentence_transformers --model=M --output=st/
`SentenceTransformer("st/")` and AutoModel read `model.safetensors`;
`SentenceTransformer("st/", backend="onnx")`, optimum and Text Embeddings
Inference read `onnx/model.onnx` (float32) or `onnx/model_quantized.onnx`
(int8). Pooling, normalisation and length are in the files beside. An encoder,
or with a head for classes or a score a CrossEncoder. Every file is compared
with Keras, the int8 one within the limits of `onnx_int8`.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="sentence_transformers",
        format="sentence_transformers",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
