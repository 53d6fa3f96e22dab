"""Tables of `test_imports.py`: folders that are right, and that are refused.

A row has the name of a case of `golden/make_imports.py`, other settings for it
(one that is None is taken out), and what is done to its tensors.
"""

import numpy as np


def without(*names):
    return lambda tensors: {
        key: x for key, x in tensors.items() if not key.endswith(names)
    }


def renamed(*pairs):
    """Replaces parts of names."""

    def edit(tensors):
        for old, new in pairs:
            tensors = {k.replace(old, new): x for k, x in tensors.items()}
        return tensors

    return edit


def added(**more):
    """Puts zeros of these shapes in, `__` standing for a dot."""
    zeros = {
        name.replace("__", "."): np.zeros(shape, "float32")
        for name, shape in more.items()
    }
    return lambda tensors: tensors | zeros


def with_decoder(tensors):
    """As older files have it: the tied tensors twice, or once elsewhere."""
    more = {"cls.predictions.decoder.bias": tensors["cls.predictions.bias"]}
    name = "bert.embeddings.word_embeddings.weight"
    more["cls.predictions.decoder.weight"] = tensors[name].copy()
    return without("cls.predictions.bias")(tensors) | more


# A case, its other settings (those that are None are taken out), and what is
# done to its tensors: the model stays what it is.
SAME = {
    "TensorFlow's names of norms": (
        "bert",
        {},
        renamed(
            ("LayerNorm.weight", "LayerNorm.gamma"),
            ("LayerNorm.bias", "LayerNorm.beta"),
        ),
    ),
    "buffers": (
        "bert",
        {},
        added(
            embeddings__position_ids=(1, 16), embeddings__token_type_ids=(1,)
        ),
    ),
    "heads": (
        "bert_classifier",
        {},
        added(
            cls__predictions__bias=(40,),
            cls__seq_relationship__bias=(2,),
            qa_outputs__bias=(2,),
        ),
    ),
    "RoBERTa's heads, no pooler": (
        "roberta_masked_lm",
        {},
        added(classifier__dense__bias=(12,), classifier__out_proj__bias=(2,)),
    ),
    "DistilBERT's heads": (
        "distilbert_span",
        {},
        added(pre_classifier__bias=(12,), vocab_transform__bias=(12,)),
    ),
    "ALBERT's heads": (
        "albert_masked_lm",
        {},
        added(sop_classifier__classifier__bias=(2,)),
    ),
    "no optional settings": (
        "bert",
        dict.fromkeys(["hidden_act", "layer_norm_eps", "type_vocab_size"]),
        None,
    ),
    "RoBERTa's defaults": (
        "roberta_masked_lm",
        {"hidden_act": "relu", "layer_norm_eps": None, "pad_token_id": None},
        None,
    ),
    "DistilBERT's defaults": (
        "distilbert",
        {"activation": None, "sinusoidal_pos_embds": None},
        None,
    ),
    "ALBERT's defaults": (
        "albert",
        dict.fromkeys(["hidden_act", "num_hidden_groups", "inner_group_num"]),
        None,
    ),
    "an epsilon that DistilBERT never reads": (
        "distilbert",
        {"layer_norm_eps": 0.5},
        None,
    ),
    "another name of GELU": ("bert", {"hidden_act": "gelu_python"}, None),
    "another name of GELU's approximation": (
        "bert_as_keras_hub",
        {"hidden_act": "gelu_pytorch_tanh"},
        None,
    ),
    "another name of SiLU": (
        "bert_without_pooler",
        {"hidden_act": "swish"},
        None,
    ),
    "absolute positions": (
        "bert",
        {"position_embedding_type": "absolute", "pruned_heads": {}},
        None,
    ),
    "logits of their own, unread": (
        "bert_masked_lm",
        {"tie_word_embeddings": False},
        added(cls__predictions__decoder__weight=(40, 12)),
    ),
    "float64": (
        "bert",
        {},
        lambda tensors: {k: x.astype("float64") for k, x in tensors.items()},
    ),
}


# With the sentence that refuses the folder as a backbone.
REFUSED = [
    ("bert", {"position_embedding_type": "relative_key"}, None,
     "position_embedding_type is 'relative_key', expected 'absolute'"),
    ("bert", {"position_embedding_type": "relative_key_query"}, None,
     "position_embedding_type is 'relative_key_query'"),
    ("roberta", {"position_embedding_type": "relative_key"}, None,
     "position_embedding_type is 'relative_key'"),
    ("albert", {"position_embedding_type": "relative_key"}, None,
     "position_embedding_type is 'relative_key'"),
    ("mobilebert", {"position_embedding_type": "alibi"}, None,
     "position_embedding_type is 'alibi'"),
    ("bert", {"is_decoder": True}, None, "is_decoder is True, expected false"),
    ("xlm_roberta", {"is_decoder": True}, None, "is_decoder is True"),
    ("roberta", {"add_cross_attention": True}, None,
     "add_cross_attention is True, expected false"),
    ("bert", {"pruned_heads": {"0": [1]}}, None,
     "pruned_heads is {'0': [1]}, expected none"),
    ("distilbert", {"quantization_config": {"bits": 8}}, None,
     "quantization_config is {'bits': 8}, expected none"),
    ("bert", {"auto_map": {"AutoModel": "mine.Model"}}, None,
     "auto_map is {'AutoModel': 'mine.Model'}, expected none"),
    ("bert", {"hidden_act": "quick_gelu"}, None,
     "hidden_act is 'quick_gelu', expected one of gelu, gelu_python"),
    ("bert", {"hidden_act": {}}, None, "hidden_act is {}, expected one of"),
    ("distilbert", {"activation": "gelu_10"}, None,
     "activation is 'gelu_10', expected one of"),
    ("mobilebert", {"hidden_act": "laplace"}, None,
     "hidden_act is 'laplace', expected one of"),
    ("bert", {"layer_norm_eps": "1e-5"}, None,
     "layer_norm_eps is '1e-5', expected a number from 1e-38"),
    ("albert", {"layer_norm_eps": 0}, None, "layer_norm_eps is 0, expected"),
    ("bert", {"hidden_dropout_prob": 1.5}, None,
     "hidden_dropout_prob is 1.5, expected a number from 0 to below 1"),
    ("bert", {"type_vocab_size": 0}, None,
     "type_vocab_size is 0, expected a whole number from 1"),
    ("bert", {"type_vocab_size": 3}, None,
     "embeddings.token_type_embeddings.weight (2, 12) for (3, 12)"),
    ("roberta", {"type_vocab_size": 2}, None,
     "embeddings.token_type_embeddings.weight (1, 12) for (2, 12)"),
    ("bert", {"num_attention_heads": 5}, None,
     "hidden_size is 12, expected a multiple of num_attention_heads, 5"),
    ("bert", {"num_attention_heads": True}, None,
     "num_attention_heads is True, expected a whole number from 1"),
    ("bert", {"num_attention_heads": None}, None, "lacks num_attention_heads"),
    ("distilbert", {"n_heads": None}, None, "lacks n_heads"),
    ("bert", {"num_hidden_layers": 1}, None,
     "unknown encoder.layer.1.attention.output.LayerNorm.bias"),
    ("bert", {"num_hidden_layers": 3}, None,
     "missing encoder.layer.2.attention.output.LayerNorm.bias"),
    ("bert", {"max_position_embeddings": 12}, None,
     "embeddings.position_embeddings.weight (16, 12) for (12, 12)"),
    ("roberta", {"max_position_embeddings": 12}, None,
     "embeddings.position_embeddings.weight (16, 12) for (12, 12)"),
    ("roberta", {"pad_token_id": -1}, None,
     "pad_token_id is -1, expected a whole number from 0"),
    ("roberta", {"pad_token_id": 15}, None,
     "max_position_embeddings is 16, expected more than 16"),
    ("albert", {"num_hidden_groups": 3}, None,
     "num_hidden_layers is 2, expected a multiple of num_hidden_groups, 3"),
    ("albert", {"num_hidden_groups": 2}, None,
     "missing encoder.albert_layer_groups.1.albert_layers.0.attention"),
    ("albert_groups", {"inner_group_num": 1}, None,
     "unknown encoder.albert_layer_groups.0.albert_layers.1.attention"),
    ("electra", {"num_hidden_layers": 1}, None,
     "unknown encoder.layer.1.attention.output.LayerNorm.bias"),
    ("electra", {}, without("embeddings_project.bias"),
     "missing embeddings_project.bias"),
    ("electra", {"embedding_size": 12}, None,
     "unknown embeddings_project.bias, embeddings_project.weight"),
    ("electra", {"embedding_size": "8"}, None,
     "embedding_size is '8', expected a whole number from 1"),
    ("electra", {"position_embedding_type": "relative_key"}, None,
     "position_embedding_type is 'relative_key'"),
    ("camembert", {"is_decoder": True}, None, "is_decoder is True"),
    ("camembert", {}, without("token_type_embeddings.weight"),
     "missing embeddings.token_type_embeddings.weight"),
    ("albert", {"embedding_size": 12}, None,
     "embeddings.word_embeddings.weight (40, 8) for (40, 12)"),
    *(
        ("bert", {"model_type": kind}, None,
         f"model_type is {kind!r}, expected one of albert, bert")
        for kind in ("deberta", "nomic_bert", "bart", "esm", 1)
    ),
    ("bert", {}, without("LayerNorm.bias"),
     "missing embeddings.LayerNorm.bias, encoder.layer.0.attention.output"),
    ("bert", {}, without("pooler.dense.bias"), "missing pooler.dense.bias"),
    ("albert", {}, without("pooler.weight"), "missing pooler.weight"),
    ("roberta", {}, without("token_type_embeddings.weight"),
     "missing embeddings.token_type_embeddings.weight"),
    ("roberta", {}, without("position_embeddings.weight"),
     "missing embeddings.position_embeddings.weight"),
    ("bert", {}, added(encoder__layer__0__distance_embedding=(31, 6)),
     "unknown encoder.layer.0.distance_embedding"),
    ("distilbert", {}, added(encoder__layer__0__output__bias=(12,)),
     "unknown encoder.layer.0.output.bias"),
    ("bert", {}, added(LayerNorm__gamma=(12,), LayerNorm__weight=(12,)),
     "unknown LayerNorm.gamma, LayerNorm.weight"),
    ("bert", {}, renamed(("encoder.", "model.encoder.")),
     "and 24 more; unknown model.encoder.layer.0"),
    ("bert_masked_lm", {}, added(encoder__layer__0__output__dense__bias=(12,)),
     "unknown encoder.layer.0.output.dense.bias"),
    ("bert", {}, lambda tensors: tensors | {
        "pooler.dense.bias": np.zeros(12, "int8")},
     "pooler.dense.bias is I8, expected one of F16, BF16, F32, F64"),
]  # fmt: skip
# As a masked language model; as a backbone it is right.
REFUSED_HEADS = [
    ("bert_masked_lm", {"tie_word_embeddings": False}, None,
     "tie_word_embeddings is false, expected true"),
    ("mobilebert_masked_lm", {"tie_word_embeddings": False}, None,
     "tie_word_embeddings is false, expected true"),
    ("bert_masked_lm", {}, without("predictions.bias"),
     "missing cls.predictions.bias"),
    ("roberta_masked_lm", {}, without("lm_head.layer_norm.weight"),
     "missing lm_head.layer_norm.weight"),
    ("distilbert_masked_lm", {}, without("vocab_projector.bias"),
     "missing vocab_projector.bias"),
    ("albert_masked_lm", {}, added(predictions__more=(2,)),
     "unknown predictions.more"),
    ("electra", {}, None, "has no masked-language-model head"),
    ("electra_generator", {}, without("generator_predictions.dense.bias"),
     "missing generator_predictions.dense.bias"),
    ("roberta", {}, None, "has no masked-language-model head"),
    ("albert", {}, None, "has no masked-language-model head"),
]  # fmt: skip
