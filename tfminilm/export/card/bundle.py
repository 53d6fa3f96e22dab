"""Write the card of a bundle into it, as one more of its sealed files."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence

from tfminilm import files
from tfminilm.export.bundle import contents, reader
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.card import facts, page, usage
from tfminilm.export.card.facts import Score
from tfminilm.export.card.options import CardOptions
from tfminilm.export.manifest import MANIFEST, Manifest
from tfminilm.tasks.kinds import kind_of
from tfminilm.typed_json import to_json

_BEFORE = "in Keras, before it was written"


def add(
    bundle: str | os.PathLike,
    source: str | os.PathLike,
    scores: Sequence[Score] = (),
) -> None:
    """Write `README.md` into a bundle, and its checksum into the manifest.

    A card that `export` wrote before is replaced with it; one that somebody
    changed makes the bundle another one, which is refused.

    Args:
        bundle: its folder.
        source: the workdir of the run that it was made of, or a model's name,
            of which nothing is known then.
        scores: what the bundle scored, beside what its manifest says.

    Raises:
        UserError: it is no bundle as it was written, or a file of the run is
            damaged.
    """
    folder = pathlib.Path(bundle)
    opened = reader.open_bundle(folder)
    manifest, settings = opened.manifest, opened.settings
    made = facts.collect(source)
    head = usage.ENCODER
    if settings is not None:
        head = kind_of(settings).transformers_head
    subject = page.Subject(
        folder,
        manifest.description,
        settings,
        max_length=max(one.length for one in manifest.signatures.values()),
        has_bundle=True,
        head=head,
        in_transformers=False,
        bundle=manifest,
    )
    in_keras = [
        dataclasses.replace(one, note=f"{one.note} {_BEFORE}".strip())
        for one in made.scores
    ]
    measured = [*scores, *_evaluated(manifest)] or in_keras
    made = dataclasses.replace(made, scores=tuple(measured), losses=())
    with files.new_directory(folder, 0, require_replaceable) as beside:
        for path in folder.iterdir():
            shutil.copyfile(path, beside / path.name)
        subject = dataclasses.replace(subject, folder=beside)
        page.write(subject, made, CardOptions())
        (beside / MANIFEST).unlink()
        sealed = dataclasses.replace(manifest, files=contents.checksums(beside))
        files.write_json(beside / MANIFEST, to_json(sealed))


def _evaluated(manifest: Manifest) -> list[Score]:
    """Return what a bundle scored when it was exported."""
    one = manifest.evaluation
    if one is None:
        return []
    notes = filter(
        None,
        [
            one.language or "",
            f"{one.max_examples} examples" if one.max_examples else "",
            "this bundle",
        ],
    )
    note = ", ".join(notes)
    return [
        Score(one.task, split, metric, value, note=note)
        for split, metrics in one.metrics.items()
        for metric, value in metrics.items()
    ]
