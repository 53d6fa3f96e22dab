"""The user's settings for the preparation of shards."""

import dataclasses

from tfminilm.errors import UsageError

# What is dropped if it is repeated.
DUPLICATES = ("documents", "paragraphs", "keep")


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings on which the bytes of the shards depend.

    Attributes:
        source: see `tfminilm.data.documents`.
        tokenizer: the model whose tokenizer is used; see `load_tokenizer`.
        sequence_length: token ids in a sequence.
        seed: decides, together with a document's text, whether it is held
            out.
        held_out_fraction: share of the documents to hold out.
        duplicates: "documents" drops repeated documents, "paragraphs"
            repeated paragraphs, "keep" nothing.
        shard_megabytes: text in a shard.
        masked_copies: masked copies of each sequence; 0: mask in training.
        mask_rate: share of the tokens to mask.
        whole_words: mask whole words, not single tokens.
        next_sentence: make masked pairs of texts.
    """

    source: str
    tokenizer: str
    sequence_length: int = 512
    seed: int = 0
    held_out_fraction: float = 0.02
    duplicates: str = "documents"
    shard_megabytes: float = 8.0
    masked_copies: int = 0
    mask_rate: float = 0.15
    whole_words: bool = True
    next_sentence: bool = False

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UsageError: a value is outside its range.
        """
        for name, is_valid, expected in (
            (
                "sequence_length",
                8 <= self.sequence_length < 2**15,
                "8 to 32767",
            ),
            ("seed", 0 <= self.seed < 2**32, "0 to 2**32 - 1"),
            (
                "held_out_fraction",
                0 < self.held_out_fraction <= 0.5,
                "0 to 0.5, above 0",
            ),
            (
                "duplicates",
                self.duplicates in DUPLICATES,
                ", ".join(DUPLICATES),
            ),
            ("masked_copies", self.masked_copies >= 0, "0 or more"),
            ("mask_rate", 0 < self.mask_rate < 1, "above 0, below 1"),
            (
                "next_sentence",
                self.masked_copies or not self.next_sentence,
                "--masked_copies with it; training makes pairs itself",
            ),
            ("shard_megabytes", self.shard_megabytes > 0, "above 0"),
        ):
            if not is_valid:
                raise UsageError(
                    f"--{name} is {getattr(self, name)!r}, expected {expected}"
                )
