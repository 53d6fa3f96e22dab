"""What shards are made of and how, as a user says it."""

import dataclasses

from tfminilm.errors import UsageError

# What may be dropped where it stands for the second time.
DUPLICATES = ("documents", "paragraphs", "keep")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the bytes of the shards, beside the text itself.

    Attributes:
        source: see `tfminilm.data.documents`.
        tokenizer: the model that it belongs to, as `load_tokenizer` takes it.
        sequence_length: token ids in a sequence.
        seed: decides, with a document's own text, on which side it falls.
        held_out_fraction: share of the documents to hold out.
        duplicates: "documents" drops each that stood there before,
            "paragraphs" each paragraph, "keep" nothing.
        shard_megabytes: text in a shard.
        masked_copies: how often each sequence is masked; 0 leaves that to
            training.
        mask_rate: share of the tokens to mask.
        whole_words: mask these, or any tokens.
        next_sentence: make pairs of texts for masking.
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
        """Checks the ranges.

        Raises:
            UsageError: a value is outside its range.
        """
        for name, fine, expected in (
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
            if not fine:
                raise UsageError(
                    f"--{name} is {getattr(self, name)!r}, expected {expected}"
                )
