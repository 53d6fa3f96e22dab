"""What a Hugging Face folder computes, in NumPy and float64.

From the raw tensors and settings of a folder alone: nothing here is of this
package, of Keras or of KerasHub.
"""

import numpy as np
import scipy.special

TANH_SCALE = np.sqrt(2 / np.pi)
ACTIVATIONS = {
    "gelu": lambda x: x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2,
    "gelu_new": lambda x: (
        x * (1 + np.tanh(TANH_SCALE * (x + 0.044715 * x**3))) / 2
    ),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
# Queries, keys, values, output, norm; the feed-forward block and its norm.
BERT_LAYER = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
DISTIL_LAYER = (
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)
MPNET_LAYER = (
    "attention.attn.q",
    "attention.attn.k",
    "attention.attn.v",
    "attention.attn.o",
    "attention.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
ALBERT_LAYER = (
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.dense",
    "attention.LayerNorm",
    "ffn",
    "ffn_output",
    "full_layer_layer_norm",
)


class Folder:
    """The tensors of a folder, and what their modules compute."""

    def __init__(self, settings, tensors):
        kind = settings["model_type"]
        prefix = kind.removeprefix("xlm-") + "."
        prefix = "roberta." if kind == "camembert" else prefix
        self.settings = settings
        self.tensors = {
            name.removeprefix(prefix): np.asarray(value, "float64")
            for name, value in tensors.items()
        }
        self.kind = kind
        if kind == "camembert":  # In all but its pieces.
            self.kind = "roberta"
        self.heads = settings.get("num_attention_heads") or settings["n_heads"]
        act = settings.get("activation") or settings["hidden_act"]
        self.activation = ACTIVATIONS[act]
        self.epsilon = settings.get("layer_norm_eps", 1e-12)
        self.no_norm = settings.get("normalization_type") == "no_norm"

    def linear(self, name, x):
        weight = self.tensors[f"{name}.weight"]
        return x @ weight.T + self.tensors[f"{name}.bias"]

    def norm(self, name, x, epsilon=None, always=False):
        if always or not self.no_norm:
            x = x - x.mean(-1, keepdims=True)
            epsilon = self.epsilon if epsilon is None else epsilon
            x = x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon)
        scale = self.tensors[f"{name}.weight"]
        return x * scale + self.tensors[f"{name}.bias"]

    def attention(self, queries, keys, values, mask):
        """`[batch, length, width]` each."""
        parts = []
        width = queries.shape[-1] // self.heads
        for head, start in enumerate(range(0, queries.shape[-1], width)):
            q, k, v = (
                x[..., start : start + width] for x in (queries, keys, values)
            )
            scores = q @ k.swapaxes(1, 2) / np.sqrt(width)
            if self.kind == "mpnet":
                places = np.arange(scores.shape[-1])
                index = buckets(places[None, :] - places[:, None])
                table = self.tensors["encoder.relative_attention_bias.weight"]
                scores = scores + table[index, head]
            scores = np.where(mask[:, None, :] > 0, scores, -np.inf)
            parts.append(scipy.special.softmax(scores, -1) @ v)
        return np.concatenate(parts, -1)


def buckets(distances):
    """T5's 32 buckets, from its paper: half of them for keys to the right."""
    far = np.abs(distances)
    with np.errstate(divide="ignore"):
        log = np.log(far / 8) / np.log(128 / 8)
    # 16, 32 and 64 begin a bucket: logarithms may end just below.
    wide = 8 + np.floor(8 * log + 1e-9)
    index = np.where(far < 8, far, np.minimum(wide, 15))
    return (index + 16 * (distances > 0)).astype(int)


def states(folder, batch):
    """The last hidden states `[batch, length, hidden]`."""
    mask = batch["attention_mask"]
    if folder.kind == "mobilebert":
        return _mobilebert(folder, batch, mask)
    x = _embeddings(folder, batch)
    if folder.kind == "albert":
        x = folder.linear("encoder.embedding_hidden_mapping_in", x)
    if "embeddings_project.weight" in folder.tensors:
        x = folder.linear("embeddings_project", x)
    for prefix in _layers(folder):
        x = _layer(folder, prefix, x, mask)
    return x


def pooled(folder, x):
    """What the pooler, if any, makes of the first token's state."""
    name = "pooler" if folder.kind == "albert" else "pooler.dense"
    if f"{name}.weight" not in folder.tensors:
        return np.tanh(x[:, 0])
    return np.tanh(folder.linear(name, x[:, 0]))


def masked_lm(folder, x):
    """The logits over the vocabulary, of all places."""
    dense, norm, bias = {
        "bert": (
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.bias",
        ),
        "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
        "mpnet": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
        "distilbert": (
            "vocab_transform",
            "vocab_layer_norm",
            "vocab_projector.bias",
        ),
        "albert": (
            "predictions.dense",
            "predictions.LayerNorm",
            "predictions.bias",
        ),
    }[folder.kind.removeprefix("xlm-").removeprefix("mobile")]
    is_gelu = "roberta" in folder.kind or folder.kind == "mpnet"
    function = ACTIVATIONS["gelu"] if is_gelu else folder.activation
    x = function(folder.linear(dense, x))
    x = folder.norm(norm, x, always=True)
    table = folder.tensors["embeddings.word_embeddings.weight"]
    if folder.kind == "mobilebert":
        more = folder.tensors["cls.predictions.dense.weight"].T
        table = np.concatenate([table, more], -1)
    return x @ table.T + folder.tensors[bias]


def _embeddings(folder, batch):
    ids, tensors = batch["input_ids"], folder.tensors
    x = tensors["embeddings.word_embeddings.weight"][ids]
    places = np.arange(ids.shape[1])
    if "roberta" in folder.kind or folder.kind == "mpnet":
        places = places + folder.settings["pad_token_id"] + 1
    x = x + tensors["embeddings.position_embeddings.weight"][places]
    if folder.kind not in ("distilbert", "mpnet"):
        types = tensors["embeddings.token_type_embeddings.weight"]
        x = x + types[batch["token_type_ids"]]
    return folder.norm("embeddings.LayerNorm", x)


def _layers(folder):
    if folder.kind == "distilbert":
        count = folder.settings["n_layers"]
        return [f"transformer.layer.{index}" for index in range(count)]
    count = folder.settings["num_hidden_layers"]
    if folder.kind != "albert":
        return [f"encoder.layer.{index}" for index in range(count)]
    groups = folder.settings["num_hidden_groups"]
    return [
        f"encoder.albert_layer_groups.{index * groups // count}"
        f".albert_layers.{inner}"
        for index in range(count)
        for inner in range(folder.settings["inner_group_num"])
    ]


def _layer(folder, prefix, x, mask):
    names = {
        "distilbert": DISTIL_LAYER,
        "albert": ALBERT_LAYER,
        "mpnet": MPNET_LAYER,
    }
    query, key, value, output, norm, wide, narrow, last = (
        f"{prefix}.{name}" for name in names.get(folder.kind, BERT_LAYER)
    )
    parts = (folder.linear(name, x) for name in (query, key, value))
    mixed = folder.attention(*parts, mask)
    x = folder.norm(norm, x + folder.linear(output, mixed))
    inner = folder.activation(folder.linear(wide, x))
    return folder.norm(last, x + folder.linear(narrow, inner))


def _mobilebert(folder, batch, mask):
    tensors = folder.tensors
    x = tensors["embeddings.word_embeddings.weight"][batch["input_ids"]]
    none = np.zeros_like(x[:, :1])
    around = [np.concatenate([x[:, 1:], none], 1), x]
    around.append(np.concatenate([none, x[:, :-1]], 1))
    x = folder.linear(
        "embeddings.embedding_transformation", np.concatenate(around, -1)
    )
    x = x + tensors["embeddings.position_embeddings.weight"][: x.shape[1]]
    types = tensors["embeddings.token_type_embeddings.weight"]
    x = x + types[batch["token_type_ids"]]
    x = folder.norm("embeddings.LayerNorm", x, 1e-5)
    for index in range(folder.settings["num_hidden_layers"]):
        x = _mobilebert_layer(folder, f"encoder.layer.{index}.", x, mask)
    return x


def _mobilebert_layer(folder, prefix, states, mask):
    def bottleneck(name):
        x = folder.linear(f"{prefix}bottleneck.{name}.dense", states)
        return folder.norm(f"{prefix}bottleneck.{name}.LayerNorm", x)

    def block(name, x, epsilon=None):
        inner = folder.linear(f"{prefix}{name}intermediate.dense", x)
        x = x + folder.linear(
            f"{prefix}{name}output.dense", folder.activation(inner)
        )
        return folder.norm(f"{prefix}{name}output.LayerNorm", x, epsilon)

    narrow = bottleneck("input")
    asking, read = narrow, narrow
    if not folder.settings["use_bottleneck_attention"]:
        asking, read = bottleneck("attention"), states
    self = f"{prefix}attention.self."
    mixed = folder.attention(
        folder.linear(f"{self}query", asking),
        folder.linear(f"{self}key", asking),
        folder.linear(f"{self}value", read),
        mask,
    )
    output = f"{prefix}attention.output."
    x = narrow + folder.linear(f"{output}dense", mixed)
    x = folder.norm(f"{output}LayerNorm", x)
    for index in range(folder.settings["num_feedforward_networks"] - 1):
        x = block(f"ffn.{index}.", x)
    x = block("", x, 1e-5)
    x = states + folder.linear(f"{prefix}output.bottleneck.dense", x)
    return folder.norm(f"{prefix}output.bottleneck.LayerNorm", x)
