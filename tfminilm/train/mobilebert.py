"""Write MobileBERT's training strategies as the stages of a recipe.

arXiv 2004.02984, section 3: how the transfer of feature maps and attention
goes together with pre-training distillation.
"""

import dataclasses

from tfminilm.errors import UsageError
from tfminilm.methods import MobileBERT
from tfminilm.train.stage import DataSpec, Stage, StudentSpec, TrainSpec

STRATEGIES = ("auxiliary", "joint", "progressive")


def mobilebert_stages(
    strategy: str,
    teacher: str,
    student: StudentSpec,
    data: DataSpec,
    transfer: TrainSpec,
    pretraining: TrainSpec,
    lower_rate: float = 0.0,
) -> dict[str, Stage]:
    """Return the stages of one strategy, in order.

    All start from the teacher's embeddings and its heads on masked tokens and
    next sentences. The transfer reads masked pairs, as pre-training does.

    Args:
        strategy: "auxiliary" for all losses at once; "joint" for all layers'
            transfer and then pre-training; or "progressive" for the transfer
            of one layer after the other, those below it and the embeddings
            frozen, and then pre-training.
        teacher: an earlier stage, or a masked language model, as deep as the
            student and as wide between its layers.
        student: its shape.
        data: the text of all stages.
        transfer: how a stage of transfer is trained: in "joint" the only one,
            in "progressive" that of each layer.
        pretraining: how the last stage is.
        lower_rate: in "progressive", the share of the learning rate with
            which the layers below go on learning, 0.1 in the authors' code;
            0 freezes them.

    Returns:
        Stages by name: "pretraining" alone, after "transfer", or after
        "layer_1" to "layer_L".

    Raises:
        UsageError: there is no such strategy, or none of its layers is lower
            than another.
    """
    if strategy not in STRATEGIES:
        raise UsageError(
            f"recipe: strategy is {strategy!r}, expected "
            f"{' or '.join(STRATEGIES)}"
        )
    if lower_rate and strategy != "progressive":
        raise UsageError(
            f"recipe: lower_rate is {lower_rate:g}, but strategy {strategy!r} "
            "trains all layers at once: set it to 0"
        )
    layers: dict[str, int | None] = {}
    if strategy == "joint":
        layers = {"transfer": None}
    if strategy == "progressive":
        layers = {f"layer_{i + 1}": i for i in range(student.num_layers)}
    spec = dataclasses.replace(student, init="embeddings")
    stages = {}
    for name, layer in layers.items():
        frozen, train = _one_layer(layer, transfer, lower_rate)
        stages[name] = Stage(
            teacher=teacher,
            student=dataclasses.replace(spec, frozen=frozen),
            method=MobileBERT.transfer(layer, masked_pairs=True),
            data=data,
            train=train,
        )
        spec = dataclasses.replace(student, init="bottom", init_from=name)
    last = MobileBERT.pretraining if stages else MobileBERT
    stages["pretraining"] = Stage(
        teacher=teacher,
        student=spec,
        method=last(next_sentence_weight=1.0),
        data=data,
        train=pretraining,
    )
    return stages


def _one_layer(
    layer: int | None, transfer: TrainSpec, lower_rate: float
) -> tuple[str, TrainSpec]:
    """Return what is frozen while a layer learns, and how it is trained.

    Args:
        layer: counted from 0; `None` where all learn at once.
        transfer: how a stage of transfer is trained.
        lower_rate: the share of the learning rate with which the layers below
            go on learning; 0 freezes them.
    """
    if layer is None:
        return "", transfer
    below = [str(number) for number in range(layer)]
    if not lower_rate:
        return ",".join(["embeddings", *below]), transfer
    rates = ",".join(f"{part}:{lower_rate:g}" for part in below)
    return "embeddings", dataclasses.replace(transfer, layer_rates=rates)
