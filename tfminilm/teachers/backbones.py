"""Keep the name by which users have KerasHub find `families.backbones`."""

from tfminilm.families.backbones import BACKBONES, MASKED_LMS, TEXT_CLASSIFIERS

__all__ = ["BACKBONES", "MASKED_LMS", "TEXT_CLASSIFIERS"]
