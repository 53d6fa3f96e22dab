"""Keep the name by which saved models find `families.mobilebert.model`."""

from tfminilm.families.mobilebert.model import (
    MobileBertBackbone,
    MobileBertMaskedLM,
)

__all__ = ["MobileBertBackbone", "MobileBertMaskedLM"]
