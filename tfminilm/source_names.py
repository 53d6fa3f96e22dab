"""Name models and data sets without the folders of a machine."""

import pathlib


def name_of(source: str) -> str:
    """Return what people call a model or a data set: no folders of a machine.

    Args:
        source: a path, a name, or several data sets with commas between.
    """
    if source.startswith("package:"):
        return source.removeprefix("package:").partition("/")[0]
    if "://" in source:
        return source
    parts = []
    for part in source.split(","):
        kind, colon, place = part.rpartition(":")
        names = pathlib.PurePath(kind).name, pathlib.PurePath(place).name
        parts.append(colon.join(names) if colon else names[1])
    return ", ".join(parts)
