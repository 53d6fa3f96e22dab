"""Say what each client reads: which models, tokenizers and precisions."""

import dataclasses
from collections.abc import Sequence

import keras_hub

from tfminilm.errors import UserError
from tfminilm.export.manifest import (
    ENCODER,
    OUTPUTS,
    Identity,
    TokenizerSettings,
)
from tfminilm.export.target import Target
from tfminilm.tasks import encode
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tokenizer import BERT, rules_of
from tfminilm.typing import Tokenizer

_CLASSES, _EMBEDDING = ("logits",), OUTPUTS[ENCODER]
_ANSWER = ("start_logits", "end_logits")
# The Task Library's question answering takes no other length.
_ANSWER_LENGTH = 384


@dataclasses.dataclass(frozen=True)
class Client:
    """Describe what reads a file.

    Attributes:
        title: its name.
        outputs: of the models that it takes, as manifests name them.
    """

    title: str
    outputs: tuple[tuple[str, ...], ...]

    def require(self, identity: Identity, target: Target) -> None:
        """Refuse a model that the client has no use for.

        Raises:
            UserError: it has another task, reads two texts, or has no labels;
                or the target has another length than the client.
        """
        outputs = OUTPUTS[identity.task]
        fault = ""
        if outputs not in self.outputs:
            fault = f"a model for {identity.task}"
        elif outputs == _CLASSES and not identity.labels:
            fault = f"a model for {identity.task}, which has no labels"
        elif outputs != _ANSWER and identity.num_texts == 2:
            fault = "a model that reads two texts together"
        if fault:
            raise UserError(
                f"target {target.name or '-'}: {self.title} does not take "
                f"{fault}: expected {self._expected()}; android_int8 and "
                "server_onnx write the others"
            )
        if outputs == _ANSWER and target.lengths != (_ANSWER_LENGTH,):
            raise UserError(
                f"target: lengths is {target.lengths!r}, expected "
                f"({_ANSWER_LENGTH},), the only one at which {self.title} "
                f"answers questions: --config.lengths={_ANSWER_LENGTH}"
            )

    def _expected(self) -> str:
        kinds = {
            _CLASSES: "a classifier of single texts",
            _EMBEDDING: "an encoder without a head (--as=encoder)",
            _ANSWER: "a model for question answering",
        }
        return " or ".join(kinds[outputs] for outputs in self.outputs)


CLIENTS = {
    "mediapipe_classifier": Client("MediaPipe's TextClassifier", (_CLASSES,)),
    "mediapipe_embedder": Client("MediaPipe's TextEmbedder", (_EMBEDDING,)),
    "task_library": Client(
        "the TFLite Task Library", (_CLASSES, _EMBEDDING, _ANSWER)
    ),
}


def fitted(target: Target, settings: Settings | None) -> Target:
    """Return a target with the length that its client takes for such a model.

    Args:
        target: any.
        settings: how the model was fine-tuned; None for an encoder.
    """
    client = CLIENTS.get(target.format)
    if client is None or settings is None or _ANSWER not in client.outputs:
        return target
    if kind_of(settings).outputs != _ANSWER:
        return target
    return dataclasses.replace(target, lengths=(_ANSWER_LENGTH,))


def require_no_prompt(identity: Identity, target: Target) -> None:
    """Refuse an encoder that has something in front of every text.

    Raises:
        UserError: it has; the clients cut texts as they are given.
    """
    embedding = identity.sentence_embedding
    if embedding is not None and embedding.prompt:
        raise UserError(
            f"target {target.name or '-'}: the model has {embedding.prompt!r} "
            f"in front of every text, which {CLIENTS[target.format].title} "
            "does not put there: expected default_prompt_name null in the "
            "model's config_sentence_transformers.json, and the prompt in "
            "your texts; or android_int8, whose bundle says it"
        )


def require_words(tokenizer: Tokenizer, target: Target) -> None:
    """Refuse a tokenizer that these clients' BertTokenizer cannot be.

    Raises:
        UserError: it is none of word pieces, keeps capital letters, or has
            other signs, special words or rules than BERT's.
    """
    fault = ""
    if not isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        fault = f"a {type(tokenizer).__name__}"
    elif not tokenizer.lowercase:
        fault = "a tokenizer that tells capital letters from small ones"
    elif tokenizer.suffix_indicator != "##":
        fault = f"the sign {tokenizer.suffix_indicator} inside of words"
    elif missing := _missing_words(tokenizer):
        fault = f"a vocabulary where {missing} has another name"
    elif rules_of(tokenizer) != BERT:
        fault = "a tokenizer with other rules than BERT's, such as KerasHub's"
    if fault:
        raise UserError(
            f"target {target.name or '-'}: {CLIENTS[target.format].title} "
            f"does not read {fault}: expected BERT's word pieces in lower "
            "case; android_int8 writes a bundle for this tokenizer"
        )


def require_lines(lines: Sequence[str], what: str) -> None:
    """Refuse words or labels that a client's file of lines cannot hold.

    Raises:
        UserError: one is empty, or would be read as another.
    """
    for line in lines:
        if not line or "\n" in line or line.endswith("\r"):
            raise UserError(
                f"cannot write {line!r} into {what}: expected no empty line, "
                "and no line feed"
            )


def _missing_words(tokenizer: keras_hub.tokenizers.WordPieceTokenizer) -> str:
    """Name the special words that stand elsewhere than BERT's do."""
    start, end, _ = encode.special_ids(tokenizer)
    unknown = tokenizer.token_to_id(tokenizer.oov_token)
    expected = {"[CLS]": start, "[SEP]": end, "[UNK]": unknown}
    words = list(tokenizer.get_vocabulary())
    return ", ".join(
        word for word, place in expected.items() if words[place] != word
    )


def note(words: TokenizerSettings) -> str:
    """Say in a sentence what an app has to do with its texts before."""
    marks = (
        ", decomposed (NFD) and without marks" if words.strip_accents else ""
    )
    return (
        "give it texts in lower case (all letters, not ASCII's alone)"
        f"{marks}, with plain spaces: docs/mediapipe.md has the lines"
    )
