"""Keep the name by which users have KerasHub find `families.backbones`."""

from tfminilm import families

BACKBONES = {
    variant.backbone.__name__: variant.backbone
    for variant in families.variants()
}
