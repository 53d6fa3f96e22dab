"""Servers, SavedModel: for TensorFlow Serving, any batch and any length.

Command: tfminilm export --config=server_saved_model --model=M --output=served/
The folder holds `saved_model/1/`, whose signature `serving_default` takes int32
`token_ids`, `segment_ids` and `padding_mask` `[batch, length]`, and whose
`serve_text` takes texts where the tokenizer has BERT's rules; and `vocab.txt`.
`keras.layers.TFSMLayer` calls `serve` with a dict. What it computes is compared
with Keras at two lengths.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="server_saved_model",
        format="saved_model",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
