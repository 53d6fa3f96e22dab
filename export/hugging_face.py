"""Hugging Face: a folder that `transformers` loads, or a hub takes.

Command: tfminilm export --config=hugging_face --model=M --output=hf/
For BERT-shaped students and MobileBERT, with or without a head for classes,
scores or answers: `config.json`, `model.safetensors`, `vocab.txt` and
`tokenizer_config.json`. The model is read back and compared with Keras.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" checks at one short length."""
    return Target(
        name="hugging_face",
        format="hugging_face",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
