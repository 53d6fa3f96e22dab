"""transformers.js and optimum: ONNX in float32 and int8, and the tokenizer.

Command: tfminilm export --config=transformers_js --model=M --output=js/
`pipeline(task, "js/", {dtype: "q8"})` reads `onnx/model_quantized.onnx` (int8),
`{dtype: "fp32"}` and optimum's `ORTModelFor...` read `onnx/model.onnx`. Inputs
are int64 `input_ids`, `attention_mask` and, of families with segments,
`token_type_ids`; outputs `last_hidden_state`, `logits`, or `start_logits` and
`end_logits`. Both files are compared with Keras, the int8 one within the limits
of `onnx_int8`.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="transformers_js",
        format="transformers_js",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
