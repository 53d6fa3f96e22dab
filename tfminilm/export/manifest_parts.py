"""Define what a manifest says of one kind of model alone."""

import dataclasses
from typing import Annotated

from tfminilm.typed_json import Rule

MOST_TOKENS = 1_000_000
MOST_CHARACTERS = 10_000  # Of a text for people, or for a model.
MOST_REAL = 1e30  # A float32 holds it.

Length = Annotated[int, Rule(minimum=1, maximum=MOST_TOKENS)]


@dataclasses.dataclass(frozen=True)
class SentenceEmbedding:
    """Describe how an encoder's last states become `sentence_embedding`."""

    pooling: Annotated[
        str,
        Rule(
            choices=("mean", "cls"),
            description="Of the real tokens' states: their mean, or the first.",
        ),
    ]
    normalize: Annotated[
        bool, Rule(description="Whether it is scaled to length 1.")
    ]
    prompt: Annotated[
        str | None,
        Rule(
            is_optional=True,
            min_size=1,
            max_size=MOST_CHARACTERS,
            description="What stands in front of every text, which whoever "
            "runs the file puts there before the text is cut into tokens.",
        ),
    ] = None


@dataclasses.dataclass(frozen=True)
class QuestionAnswering:
    """Describe how a long text is cut into windows, and which answers count."""

    document_stride: Annotated[
        int,
        Rule(
            minimum=1,
            maximum=MOST_TOKENS,
            description="Tokens from a window's start to the next one's.",
        ),
    ]
    max_question_tokens: Length
    max_answer_tokens: Length
    null_threshold: Annotated[
        float | None,
        Rule(
            minimum=-MOST_REAL,
            maximum=MOST_REAL,
            description="No answer is given where the score of the first "
            "token exceeds that of the best answer by more than this; null "
            "where every question has an answer.",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class TokenClassification:
    """Describe how the tags of tokens become entities."""

    scheme: Annotated[
        str,
        Rule(
            choices=("bio", "bilou", "bioes"),
            description="What the tags among the labels begin with. A word's "
            "tag is that of its first token.",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Describe how sure a classifier is, as held-out texts showed."""

    temperature: Annotated[
        float,
        Rule(
            above=0,
            maximum=MOST_REAL,
            description="What the logits were divided by, so that their "
            "softmax is calibrated. The model's file does it already: nothing "
            "is left to do. 1 where they are as they were trained.",
        ),
    ]
    unsure_below: Annotated[
        float | None,
        Rule(
            minimum=0,
            maximum=1,
            description="Where the likeliest class has less than this "
            "probability, the model is not sure: an app may say so in place "
            "of the class. null where it always answers.",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class MultiLabelClassification:
    """Describe which of several labels a text gets."""

    thresholds: Annotated[
        tuple[Annotated[float, Rule(minimum=0, maximum=1)], ...],
        Rule(
            min_size=1,
            description="A label is given from this probability on, in the "
            "order of labels; the output called logits is probabilities.",
        ),
    ]
