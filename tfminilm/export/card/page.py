"""Write the page of a model: README.md of a folder for the Hugging Face Hub."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

from tfminilm import files
from tfminilm.export.card import usage
from tfminilm.export.card.facts import Facts, Score
from tfminilm.export.card.options import CardOptions
from tfminilm.export.card.text import front_matter, markdown, table
from tfminilm.export.manifest import MODEL, Manifest
from tfminilm.source_names import name_of
from tfminilm.tasks.settings import Settings
from tfminilm.typing import Json

CARD = "README.md"


@dataclasses.dataclass(frozen=True)
class Subject:
    """Hold what a card is about.

    Attributes:
        folder: of the model; the card goes there.
        description: a sentence on it.
        settings: how it reads its task; `None` for an encoder.
        max_length: tokens that it has room for; 0 if it has no limit.
        has_bundle: whether a phone can run it.
        head: the end of the name of its class in `transformers`.
        embeds: whether sentence-transformers reads the folder.
        in_transformers: whether `transformers` reads the folder.
        bundle: the manifest of a folder for phones; `None` of others.
    """

    folder: pathlib.Path
    description: str
    settings: Settings | None
    max_length: int
    has_bundle: bool
    head: str
    embeds: bool = False
    in_transformers: bool = True
    bundle: Manifest | None = None


def write(subject: Subject, facts: Facts, options: CardOptions) -> None:
    """Write the card into the model's folder.

    Args:
        subject: the model.
        facts: how it came about, and what was measured.
        options: what a person says of it.
    """
    name = _name(subject, facts, options)
    parts = [
        front_matter(_data(name, subject, facts, options)),
        f"# {markdown(name)}",
        f"{markdown(subject.description)}. Made with tfminilm.",
        *_section("What it is for", markdown(options.intended_use)),
        *_section("What is in the folder", _contents(subject)),
        *_section("How to use it", usage.text(subject, options)),
        *_section("How it was made", _made(facts)),
        *_section("What was measured", _measured(facts)),
        *_section("Limits", _limits(subject, facts, options)),
        *_section("Licence", _license(options)),
    ]
    files.write_text(subject.folder / CARD, "\n\n".join(parts) + "\n")


def _section(title: str, text: str) -> list[str]:
    return [f"## {title}", text] if text else []


def _name(subject: Subject, facts: Facts, options: CardOptions) -> str:
    if options.repository:
        return options.repository.split("/")[1]
    default = "A student of tfminilm"
    if subject.settings is not None:
        default = f"A model for {name_of(subject.settings.task)}"
    return facts.made.get("recipe") or default


def _data(
    name: str, subject: Subject, facts: Facts, options: CardOptions
) -> dict[str, Json]:
    """Return what the Hub reads of the card."""
    library = "transformers" if subject.in_transformers else "keras-hub"
    library = "tflite" if subject.bundle else library
    pipeline = usage.KINDS[subject.head].pipeline
    tags = ["tfminilm", "keras"]
    if "method" in facts.made:
        tags.append("knowledge-distillation")
    if subject.embeds:
        library, pipeline = "sentence-transformers", "sentence-similarity"
        tags += [library, "feature-extraction"]
    metrics = dict.fromkeys(score.metric for score in facts.scores)
    return {
        "language": list(options.languages),
        "license": options.license,
        "library_name": library,
        "pipeline_tag": pipeline,
        "base_model": options.base_model or _hub_name(facts.teachers),
        "datasets": list(options.datasets),
        "metrics": list(metrics),
        "tags": tags,
        "model-index": _index(name, pipeline, facts.scores),
    }


def _hub_name(teachers: Sequence[str]) -> str:
    """Return the name on the Hub of a model that came from there."""
    return next(
        (
            source.removeprefix("hf://")
            for source in teachers
            if source.startswith("hf://")
        ),
        "",
    )


def _index(name: str, pipeline: str, scores: Iterable[Score]) -> list[Json]:
    """Return the scores as the Hub reads them."""
    by_data: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        by_data.setdefault((score.data, score.split), []).append(score)
    results = [
        {
            "task": {"type": pipeline},
            "dataset": {"name": data, "type": data, "split": split},
            "metrics": [
                {"type": each.metric, "value": each.value, "name": each.metric}
                for each in group
            ],
        }
        for (data, split), group in by_data.items()
    ]
    return [{"name": name, "results": results}] if results else []


def _contents(subject: Subject) -> str:
    """Return what a bundle holds, in a table; nothing of other folders."""
    bundle = subject.bundle
    if bundle is None:
        return ""
    lengths = sorted(one.length for one in bundle.signatures.values())
    size = bundle.files[MODEL].bytes
    runtimes = bundle.runtimes or {}
    rows = [
        ("model", f"{MODEL}, {size / 1e6:.1f} MB, for LiteRT"),
        ("parameters", f"{bundle.model.parameters:,}"),
        ("precision", bundle.precision),
        ("lengths in tokens", ", ".join(map(str, lengths))),
        *(
            (name, f"{x or 'no version'} or newer")
            for name, x in runtimes.items()
        ),
    ]
    if bundle.parity is not None:
        rows += [
            (
                f"difference from Keras, {name}",
                f"{x.max_difference:.2g} at most, on {bundle.parity.sentences} "
                "texts",
            )
            for name, x in bundle.parity.outputs.items()
        ]
    return table(("", ""), rows)


def _made(facts: Facts) -> str:
    if not facts.made:
        return "The folder that it was written from does not say."
    return table(("", ""), list(facts.made.items()))


def _measured(facts: Facts) -> str:
    """Return tables of scores and of losses on what was held out."""
    parts = []
    if facts.scores:
        rows = [
            (
                score.data,
                score.split,
                score.metric,
                _in_words(score),
                score.note,
            )
            for score in facts.scores
        ]
        titles = ("data", "split", "metric", "value", "of")
        parts.append(table(titles, rows))
        if any(score.bounds for score in facts.scores):
            parts.append("In brackets: bootstrap intervals of 95 %.")
    if facts.losses:
        parts.append(
            "At the last step of training, on what it was not trained on "
            f"({markdown(facts.losses[0].data)}):"
        )
        losses = [(each.metric, f"{each.value:.4g}") for each in facts.losses]
        parts.append(table(("measure", "value"), losses))
    return "\n\n".join(parts) or "Nothing was measured."


def _in_words(score: Score) -> str:
    """Return a value with its spread over seeds, or with its interval."""
    if score.bounds is not None:
        low, high = score.bounds
        return f"{score.value:.4f} ({low:.4f} to {high:.4f})"
    spread = f" ± {score.spread:.4f}" if score.spread else ""
    return f"{score.value:.4f}{spread}"


def _limits(subject: Subject, facts: Facts, options: CardOptions) -> str:
    settings = subject.settings
    length = settings.max_length if settings else subject.max_length
    items = []
    if length:
        items.append(f"It reads up to {length} tokens; what is longer is cut.")
    if settings and settings.labels:
        names = ", ".join(map(markdown, settings.labels))
        items.append(
            f"It knows {len(settings.labels)} labels and no others: {names}."
        )
    if settings and settings.unsure_below:
        items.append(
            "Where the likeliest class has less than "
            f"{settings.unsure_below:.2f} it is unsure (`is_sure` is false, in "
            "Kotlin `isSure`)."
        )
    if settings and settings.temperature is not None:
        items.append(
            f"Its logits were divided by {settings.temperature:.3f}, so that "
            "probabilities are calibrated on the data that it was tuned on."
        )
    if options.languages:
        items.append(f"Its texts are in: {', '.join(options.languages)}.")
    if facts.teachers:
        learned = ", ".join(markdown(name_of(x)) for x in facts.teachers)
        items.append(
            f"What {learned} gets wrong, and its bias, it may have learned."
        )
    items.append(
        "It was not tested on other data than what is measured above, nor for "
        "harm to people."
        if facts.scores
        else "It was not scored on any task, nor tested for harm to people."
    )
    if options.limits:
        items.append(markdown(options.limits))
    return "\n".join(f"- {item}" for item in items)


def _license(options: CardOptions) -> str:
    if not options.license:
        return (
            "Not said: those of the models and data that it learned from count."
        )
    return (
        f"{options.license}. The licences of the models and data "
        "that it learned from may ask for more."
    )
