"""Run a teacher once on all texts of a stage, and keep what it gives."""

import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np

from tfminilm import files, inputs, shard_manifest, views
from tfminilm.errors import UserError
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded, join
from tfminilm.train.distillation import Distillation
from tfminilm.train.models import Models
from tfminilm.train.outputs.manifest import Manifest, Origin, Shard
from tfminilm.train.outputs.store import (
    digest_of,
    keys_of,
    write_shard,
    written_shard,
)
from tfminilm.train.outputs.teacher import (
    Output,
    identity_of,
    outputs_of,
    shapes_of,
)
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source

# Texts in a file, and in a batch of the teacher.
_SHARD, _BATCH = 4096, 64
_WORK = "unfinished"
# Gives the outputs of some rows, and tells how many tokens it has read.
Run = Callable[[np.ndarray, Callable[[int], None]], dict[str, np.ndarray]]


def teach(job: Distillation, output: Source, progress: Progress) -> Manifest:
    """Write the teacher's outputs of all texts of a stage.

    Texts are those to train on and all that are held out, each once. Started
    again, it goes on after the last whole file.

    Args:
        job: the stage.
        output: the folder to write into.
        progress: told of the work.

    Raises:
        UserError: the method compares too much to keep, the folder holds
            something else, or the disk is full.
    """
    path = pathlib.Path(output)
    with files.lock(path, "--output"):
        files.sweep(path)
        precision = resolve_precision(job.precision)
        folder = Workdir(path / _WORK, job.recipe.to_dict())
        with progress.working(job.loading):
            models = job.load_models(precision, folder.tokenizer_rules())
        distiller = models.trained
        teacher = distiller.teacher
        outputs = outputs_of(distiller.method, teacher, distiller.student)
        texts = _texts(job, models, folder, progress)
        keys = keys_of(texts)
        rows = _unique(keys, texts.lengths)
        shapes = shapes_of(teacher, outputs)
        different = [keys[row] for row in rows]
        origin = _origin(job, models, shapes, precision, different)
        _require_own(path, origin)
        run = runner(teacher, outputs, texts)
        shards = _write(path, run, texts, keys, rows, origin, progress)
        manifest = Manifest.of(origin, (*shards,))
        manifest.save(path)
        shutil.rmtree(path / _WORK, ignore_errors=True)
    return manifest


def _texts(
    job: Distillation, models: Models, folder: Workdir, progress: Progress
) -> Encoded:
    """Return all texts of the stage, as the teacher reads them.

    Raises:
        UserError: the stage reads packed text.
    """
    examples = job.examples(models, folder, progress)
    if examples is None:
        raise UserError(
            f"recipe: data.source is {job.recipe.data.source}, packed text: "
            "expected a task, or data.sentences=True"
        )
    with progress.working("encoding examples"):
        parts = [
            examples.encode(few) for few in (examples.train, examples.held_out)
        ]
    parts += examples.copies
    return join([part.teacher or part for part in parts])


def _unique(keys: list[bytes], lengths: np.ndarray) -> np.ndarray:
    """Return one row of each text, the longest texts first."""
    places: dict[bytes, int] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, place)
    first = np.array([*places.values()])
    return first[np.argsort(-lengths[first], kind="stable")]


def _origin(
    job: Distillation,
    models: Models,
    shapes: dict[str, tuple[int, ...]],
    precision: str,
    keys: list[bytes],
) -> Origin:
    """Return what the manifest says of the outputs."""
    spec, cut = job.recipe.data, models.teacher_cut
    teacher = models.trained.teacher
    return Origin(
        teacher=job.recipe.teacher,
        precision=precision,
        labels=job.labels,
        source=spec.source,
        sequence_length=cut.max_length if cut else spec.sequence_length,
        texts=len(keys),
        digest=digest_of(keys),
        **identity_of(job.recipe.method, teacher, shapes),
    )


def _require_own(folder: pathlib.Path, origin: Origin) -> None:
    """Refuse a folder that holds other outputs, or other files.

    Raises:
        UserError: it does.
    """
    if (folder / shard_manifest.NAME).exists():
        there = Manifest.load(folder).origin
        if there != origin:
            raise UserError(
                f"{folder} holds outputs of {there.teacher} of {there.texts:,} "
                f"texts of {there.source}, and those of {origin.teacher} of "
                f"{origin.texts:,} of {origin.source} are asked for: use "
                "another --output, or remove it"
            )


def _write(
    folder: pathlib.Path,
    run: Run,
    texts: Encoded,
    keys: list[bytes],
    rows: np.ndarray,
    origin: Origin,
    progress: Progress,
) -> Iterator[Shard]:
    """Write the files that are not there, and yield them all."""
    done, total = 0, int(texts.lengths[rows].sum())
    with progress.pieces("tokens") as show:
        for number in range(0, len(rows), _SHARD):
            few = rows[number : number + _SHARD]
            path = folder / f"outputs-{number // _SHARD:05d}.safetensors"
            mine = [keys[row] for row in few]
            if path.exists():
                yield written_shard(path, mine, origin.identity())
                done += int(texts.lengths[few].sum())
                continue

            def count(tokens: int) -> None:
                nonlocal done
                done += tokens
                show("teaching", done, total)

            show("teaching", done, total)
            yield write_shard(path, mine, run(few, count), origin.identity())


def runner(
    teacher: keras.Model,
    outputs: Mapping[str, Output],
    texts: Encoded,
    batch_size: int = _BATCH,
) -> Run:
    """Return what runs the teacher on some texts, in inference mode.

    Args:
        teacher: a running one.
        outputs: what is asked of it.
        texts: as it reads them.
        batch_size: texts at a time.
    """
    view = views.view(teacher, [output.tensor for output in outputs.values()])
    # As many lengths as are worth tracing.
    buckets = Batches(texts, batch_size).buckets

    def compute(few: np.ndarray) -> dict[str, np.ndarray]:
        # The last batch is filled up, so that it has no shape of its own.
        filled = np.resize(few, batch_size)
        longest = int(texts.lengths[few].max())
        length = int(buckets[np.searchsorted(buckets, longest)])
        batch = texts.padded(filled, length)
        tensors = view.predict_on_batch(inputs.read(view, batch))
        result = {}
        for name, output in outputs.items():
            value = views.pick(teacher, output.tensor, tensors)
            if output.pool is not None:
                value = output.pool(value, batch["padding_mask"])
            value = keras.ops.cast(value, "float32")
            result[name] = keras.ops.convert_to_numpy(value)[: len(few)]
            if not np.isfinite(result[name]).all():
                raise UserError(
                    f"the teacher's output {name!r} is not finite: its "
                    "weights are broken; copy them again, or set "
                    "train.precision=float32"
                )
        return result

    def run(
        few: np.ndarray, count: Callable[[int], None]
    ) -> dict[str, np.ndarray]:
        parts = []
        for first in range(0, len(few), batch_size):
            chosen = few[first : first + batch_size]
            parts.append(compute(chosen))
            count(int(texts.lengths[chosen].sum()))
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in outputs
        }

    return run
