"""Hold the parts that every opened model is made of."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from tfminilm.errors import UserError
from tfminilm.export.manifest_parts import SentenceEmbedding
from tfminilm.inference.runtimes import Runtime
from tfminilm.tasks.settings import Settings
from tfminilm.typing import Tokenizer


class Parts(NamedTuple):
    """Hold what `TextModel` is made of.

    Attributes:
        runtime: runs it.
        tokenizer: its own.
        settings: how it was fine-tuned; None for an encoder.
        max_length: tokens of the longest sequence.
        embedding: how an encoder embeds texts; None if that is not known.
        prompts: what its folder puts in front of texts, by name.
    """

    runtime: Runtime
    tokenizer: Tokenizer
    settings: Settings | None
    max_length: int
    embedding: SentenceEmbedding | None = None
    prompts: Mapping[str, str] = {}


def limited(
    name: str,
    settings: Settings | None,
    longest: int,
    wanted: int | None,
    most: int | None,
) -> tuple[Settings | None, int]:
    """Return the settings and the longest sequence that a caller asks for.

    Args:
        name: of the model, for the message.
        settings: how it was fine-tuned; None for an encoder.
        longest: tokens of its longest sequence by default.
        wanted: what a caller asks for instead, if anything.
        most: tokens that it has positions for; None if that is not known.

    Raises:
        UserError: it has no positions for so many tokens.
    """
    if wanted is not None and most is not None and wanted > most:
        raise UserError(
            f"max_length is {wanted}, and {name} reads up to {most} tokens: "
            f"expected {most} or less"
        )
    longest = min(wanted or longest, most or wanted or longest)
    if settings is not None:
        settings = dataclasses.replace(settings, max_length=longest)
    return settings, longest
