"""More texts out of few: changed copies of a task's examples.

Each paper's way has a file: `bilstm` masks, replaces and cuts words; `tinybert`
puts likely words for others. The copies have no labels: the teacher says what
it thinks of them.
"""

from tfminilm.data.augment import bilstm, tinybert

__all__ = ["bilstm", "tinybert"]
