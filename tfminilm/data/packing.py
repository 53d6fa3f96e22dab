"""Pack sentences into full sequences of token ids, without padding."""

import concurrent.futures
import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tokenizer import Exact
from tfminilm.tokenizer.graph import in_graph
from tfminilm.typing import Tokenizer

# Large batches make the tokenizer's native code efficient; several at once
# use all cores while the next documents are read.
_BATCH_SENTENCES = 4096


@dataclasses.dataclass(frozen=True)
class EncodedDocument:
    """A document, its token ids, and how many ids each sentence has."""

    sentences: list[str]
    token_ids: np.ndarray  # int32, one sentence after another.
    lengths: np.ndarray  # int64 [sentences]


@dataclasses.dataclass(frozen=True)
class PackedText:
    """Text as a matrix.

    `token_ids` is int32 `[num_sequences, sequence_length]` without padding;
    `num_tokens` counts the ids of the text itself, each once.
    """

    token_ids: np.ndarray
    num_tokens: int

    @property
    def num_sequences(self) -> int:
        """Rows of the matrix."""
        return self.token_ids.shape[0]

    @property
    def sequence_length(self) -> int:
        """Columns of the matrix."""
        return self.token_ids.shape[1]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return self.num_sequences


def encode(
    documents: Iterable[list[str]], tokenizer: Tokenizer
) -> Iterator[EncodedDocument]:
    """Tokenize documents in large batches, in their order.

    Args:
        documents: lists of sentences.
        tokenizer: a KerasHub tokenizer that neither pads nor truncates.

    Raises:
        UserError: the tokenizer pads (its `sequence_length` is set).
    """
    tokenize = _function(tokenizer)
    workers = os.cpu_count() or 1
    waiting: deque = deque()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for batch in _batches(documents):
            waiting.append((batch, pool.submit(tokenize, _flat(batch))))
            if len(waiting) > 2 * workers:
                batch, result = waiting.popleft()
                yield from _encoded(batch, *result.result())
        for batch, result in waiting:
            yield from _encoded(batch, *result.result())


def special_ids(tokenizer: Tokenizer) -> tuple[int, int]:
    """Return the ids that open and close a sequence, such as `[CLS]`, `[SEP]`.

    Raises:
        UserError: the tokenizer has no such tokens.
    """
    specials = []
    for names in (("cls", "start"), ("sep", "end")):
        ids = [getattr(tokenizer, f"{name}_token_id", None) for name in names]
        defined = [token_id for token_id in ids if token_id is not None]
        if not defined:
            raise UserError(
                f"{type(tokenizer).__name__} has no {names[0]} or {names[1]} "
                "token; expected the tokenizer of an encoder such as BERT"
            )
        specials.append(int(defined[0]))
    return specials[0], specials[1]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id of unknown characters; `None` for byte-level BPE."""
    try:
        return tokenizer.token_to_id(getattr(tokenizer, "oov_token", "<unk>"))
    except (KeyError, ValueError):
        return None


def pack(
    documents: Iterable[EncodedDocument],
    tokenizer: Tokenizer,
    sequence_length: int,
    name: str = "the text",
) -> PackedText:
    """Pack documents into sequences of exactly `sequence_length` ids.

    A sequence is `[CLS] ... [SEP]`, with a `[SEP]` between documents, and
    starts at the start of a sentence. A sentence that does not fit is cut,
    and the next sequence repeats it from its start; only a sentence longer
    than a sequence continues at the cut. The last sequence is filled up from
    the first document. So every token is in some sequence.

    Args:
        documents: encoded text, in the order in which it is packed.
        tokenizer: its tokenizer, for the ids of `[CLS]` and `[SEP]`.
        sequence_length: ids in a sequence, with the special ones; at least 3.
        name: the name of the text in an error.

    Raises:
        UserError: the text does not fill one sequence.
    """
    ids = special_ids(tokenizer)
    room = _room(sequence_length)
    stream, ends, num_tokens = _stream(documents, ids[1])
    if num_tokens < room:
        raise UserError(
            f"{name} has {num_tokens:,} tokens, but one sequence of length "
            f"{sequence_length} needs {room:,}; give more text or a smaller "
            "length"
        )
    starts = _sequence_starts(stream.size, ends, room)
    stream = np.concatenate([stream, stream[:room]])
    return PackedText(_sequences(stream, starts, ids, room), num_tokens)


def pack_part(
    documents: Iterable[EncodedDocument],
    tokenizer: Tokenizer,
    sequence_length: int,
) -> tuple[PackedText, list[EncodedDocument]]:
    """Pack a part of a text, as `pack` does, without filling the last one.

    Args:
        documents: the part's documents, in the order in which they are packed.
        tokenizer: as in `pack`.
        sequence_length: as in `pack`.

    Returns:
        The full sequences, with the number of all tokens of the part; and the
        remaining documents, without their text, which fill no sequence and
        are to be packed together with those of other parts.
    """
    ids = special_ids(tokenizer)
    room = _room(sequence_length)
    stream, ends, num_tokens = _stream(documents, ids[1])
    starts = _sequence_starts(stream.size, ends, room)
    remainder: list[EncodedDocument] = []
    if starts and starts[-1] + room > stream.size:
        remainder = _remainder(stream, ends, starts.pop())
    sequences = _sequences(stream, starts, ids, room)
    return PackedText(sequences, num_tokens), remainder


def _room(sequence_length: int) -> int:
    """Return how many ids of text a sequence has beside the special ones."""
    if sequence_length < 3:
        raise UserError(
            f"sequence length is {sequence_length}, expected 3 or more"
        )
    return sequence_length - 2


def _sequences(
    stream: np.ndarray, starts: list[int], ids: tuple[int, int], room: int
) -> np.ndarray:
    """Return the sequences at these starts, int32 `[starts, room + 2]`."""
    token_ids = np.empty((len(starts), room + 2), np.int32)
    token_ids[:, 0], token_ids[:, -1] = ids
    if starts:
        windows = np.lib.stride_tricks.sliding_window_view(stream, room)
        token_ids[:, 1:-1] = windows[starts]
    return token_ids


def _remainder(
    stream: np.ndarray, ends: np.ndarray, start: int
) -> list[EncodedDocument]:
    """Return the documents of a stream from `start` on."""
    ends = ends[np.abs(ends) > start]
    remainder = []
    for document_ends in np.split(ends, np.flatnonzero(ends < 0) + 1)[:-1]:
        bounds = np.concatenate([[start], document_ends[:-1]])
        token_ids = stream[start : bounds[-1]]
        remainder.append(EncodedDocument([], token_ids, np.diff(bounds)))
        start = -int(document_ends[-1])
    return remainder


def _stream(
    documents: Iterable[EncodedDocument], end_id: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Join all ids, with one `end_id` after each document.

    Returns:
        The ids; the position where each sentence and each `end_id` ends,
        negative for `end_id`s; and the number of ids without `end_id`s.
    """
    pieces: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    separator = np.array([end_id], np.int32)
    size = num_tokens = 0
    for document in documents:
        if not document.token_ids.size:
            continue
        pieces += [document.token_ids, separator]
        ends.append(size + np.cumsum(document.lengths))
        num_tokens += document.token_ids.size
        size += document.token_ids.size + 1
        ends.append(np.array([-size]))
    if not pieces:
        return np.empty(0, np.int32), np.empty(0, np.int64), 0
    return np.concatenate(pieces), np.concatenate(ends), num_tokens


def _sequence_starts(size: int, ends: np.ndarray, room: int) -> list[int]:
    """Return where in the stream each sequence starts; see `pack`."""
    positions = np.abs(ends)
    starts = []
    start = 0
    while start < size:
        starts.append(start)
        stop = start + room
        if stop >= size:
            break
        piece = int(np.searchsorted(positions, stop, side="right"))
        piece_start = int(positions[piece - 1]) if piece else 0
        if ends[piece] < 0:  # Only a separator is left of the document.
            start = stop + 1
        elif positions[piece] - piece_start > room:
            start = stop
        else:
            start = piece_start
    return starts


def _function(
    tokenizer: Tokenizer,
) -> Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]:
    """Return a function from many texts to their ids and lengths."""
    if isinstance(tokenizer, Exact):
        return tokenizer.encode
    reads_special = getattr(tokenizer, "special_tokens_in_strings", False)
    encode = in_graph(tokenizer, type(tokenizer).__name__, reads_special)
    if not hasattr(tokenizer, "suffix_indicator"):
        return encode

    def encode_words(
        texts: Sequence[str],
    ) -> tuple[np.ndarray, np.ndarray]:
        # U+0000 separates words; TensorFlow would drop the text after it.
        return encode([text.replace("\0", " ") for text in texts])

    return encode_words


def _batches(documents: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    batch: list[list[str]] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH_SENTENCES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _flat(batch: list[list[str]]) -> list[str]:
    """Return all sentences, each with a space before it unless it is first.

    Only byte-level BPE reads the space; WordPiece and SentencePiece ignore it.
    """
    return [
        sentence if first else " " + sentence
        for document in batch
        for first, sentence in zip(
            [True] + [False] * len(document), document, strict=False
        )
    ]


def _encoded(
    batch: list[list[str]], flat: np.ndarray, lengths: np.ndarray
) -> Iterator[EncodedDocument]:
    sentence = token = 0
    for document in batch:
        sizes = lengths[sentence : sentence + len(document)]
        size = int(sizes.sum())
        yield EncodedDocument(document, flat[token : token + size], sizes)
        sentence += len(document)
        token += size
