"""Show in a card how a model is used: in Python, and on Android in Kotlin."""

import dataclasses
from typing import TYPE_CHECKING

from tfminilm.export.card.options import CardOptions
from tfminilm.tasks.kinds import kind_of

if TYPE_CHECKING:
    from tfminilm.export.card.page import Subject

# The end of the names of encoders without a head.
ENCODER = "Model"
# Stands where the model's name on the Hub is not known.
_UNKNOWN = "OWNER/NAME"


@dataclasses.dataclass(frozen=True)
class Use:
    """Hold how models with a head are used.

    Attributes:
        pipeline: what the Hub and `transformers` call that.
        auto: the class of `transformers`.
        call: what `tfminilm.load` gives is asked so.
        inputs: what `transformers` reads.
        kotlin: what the Android library does without a head, if anything.
    """

    pipeline: str
    auto: str
    call: str
    inputs: str
    kotlin: str = ""


_TEXT = '"A warm and funny film."'
_PAIR = '"How long is the Rhine?", "The Rhine is 1,230 km long."'
# By the ends of the names of classes in `transformers`.
KINDS = {
    "ForSequenceClassification": Use(
        "text-classification",
        "AutoModelForSequenceClassification",
        "model.predict({text})",
        "{text}",
    ),
    "ForQuestionAnswering": Use(
        "question-answering",
        "AutoModelForQuestionAnswering",
        f"model.predict(({_PAIR}))",
        _PAIR,
    ),
    "ForTokenClassification": Use(
        "token-classification",
        "AutoModelForTokenClassification",
        "model.predict({text})",
        "{text}",
    ),
    "ForMaskedLM": Use(
        "fill-mask",
        "AutoModelForMaskedLM",
        "model.embed({text})",
        'f"Paris is the {{tokenizer.mask_token}} of France."',
        "SentenceEncoder(bundle, engine).encode",
    ),
    ENCODER: Use(
        "feature-extraction",
        "AutoModel",
        "model.embed({text})",
        "{text}",
        "SentenceEncoder(bundle, engine).encode",
    ),
}


def text(subject: "Subject", options: CardOptions) -> str:
    """Return blocks of code, each with a line before it.

    Args:
        subject: the model.
        options: tell its name on the Hub.
    """
    name = options.repository or _UNKNOWN
    use = KINDS[subject.head]
    is_pair = subject.settings is not None and subject.settings.num_texts == 2
    text = f"{_TEXT}, {_TEXT}" if is_pair else _TEXT
    given = f"({text})" if is_pair else text
    parts = []
    if subject.in_transformers:
        parts += [
            "With [transformers](https://huggingface.co/docs/transformers):",
            _block(
                "python",
                f"from transformers import {use.auto}, AutoTokenizer",
                "",
                f'tokenizer = AutoTokenizer.from_pretrained("{name}")',
                f'model = {use.auto}.from_pretrained("{name}")',
                f"inputs = tokenizer({use.inputs.format(text=text)}, "
                'return_tensors="pt", truncation=True)',
                "outputs = model(**inputs)",
            ),
        ]
    if subject.embeds:
        parts += [
            "With [sentence-transformers](https://sbert.net), as vectors:",
            _block(
                "python",
                "from sentence_transformers import SentenceTransformer",
                "",
                f'model = SentenceTransformer("{name}")',
                f"vectors = model.encode([{text}])",
            ),
        ]
    parts += [
        f"With tfminilm, in {'LiteRT' if subject.bundle else 'Keras'}; "
        "`FOLDER` is where these files lie:",
        _block(
            "python",
            "import tfminilm",
            "",
            'model = tfminilm.load("FOLDER")',
            use.call.format(text=given),
        ),
    ]
    if subject.has_bundle:
        parts += _kotlin(subject, use, text)
    return "\n\n".join(parts)


def _kotlin(subject: "Subject", use: Use, text: str) -> list[str]:
    how = (
        "On Android this folder goes into the app's assets."
        if subject.bundle
        else "On Android: `tfminilm export --config=android_int8 "
        "--model=FOLDER --output=bundle` writes a bundle, which goes into "
        "the app's assets."
    )
    folder = "FOLDER" if subject.bundle else "bundle"
    settings = subject.settings
    call, given = use.kotlin, text
    if settings is not None:
        call, given = kind_of(settings).app_call, use.inputs.format(text=text)
    return [
        f"{how} Then, with the Kotlin sources of tfminilm:",
        _block(
            "kotlin",
            "val bundle = ModelBundle.open("
            f'AssetFiles(context.assets, "{folder}"))',
            "val engine = LiteRtEngine(bundle, threads = 2)",
            f"val found = {call}({given})",
            "engine.close()",
        ),
    ]


def _block(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])
