"""Data augmentation: changed copies of a task's examples.

There is a file for each paper: `bilstm` masks, replaces and cuts words;
`tinybert` replaces words by likely ones. The copies have no labels: the student
learns the teacher's predictions for them.
"""

from tfminilm.data.augment import bilstm, tinybert

__all__ = ["bilstm", "tinybert"]
