"""Write what makes a Hugging Face folder one of sentence-transformers.

The layout is that of its versions before 6, which newer ones read as well.
"""

import pathlib
from typing import Any

import keras

from tfminilm import files
from tfminilm.teachers.embedding import MODULES, POOLINGS, embedding_of

_SWITCHES = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
}


def write(backbone: keras.Model, folder: pathlib.Path) -> None:
    """Write how an encoder without a head embeds texts, beside its weights.

    Args:
        backbone: embeds as `teachers.embedding.embedding_of` says.
        folder: holds `config.json`, the weights and the tokenizer.
    """
    embedding = embedding_of(backbone)
    parts = [("Transformer", ""), ("Pooling", "1_Pooling")]
    parts += [("Normalize", "2_Normalize")] if embedding.normalize else []
    modules = [
        {
            "idx": index,
            "name": str(index),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, (kind, path) in enumerate(parts)
    ]
    longest = backbone.max_sequence_length
    pooling: dict[str, Any] = {"word_embedding_dimension": backbone.hidden_dim}
    for name in POOLINGS:
        pooling[_SWITCHES[name]] = name == embedding.pooling
    _write_json(folder / "1_Pooling/config.json", pooling)
    if embedding.normalize:
        _write_json(folder / "2_Normalize/config.json", {})
    _write_json(folder / MODULES, modules)
    _write_json(
        folder / "sentence_bert_config.json",
        {
            "max_seq_length": min(embedding.max_length or longest, longest),
            "do_lower_case": False,
        },
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": dict(embedding.prompts),
            "default_prompt_name": embedding.default_prompt or None,
            "similarity_fn_name": "cosine",
        },
    )


def _write_json(path: pathlib.Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, content)
