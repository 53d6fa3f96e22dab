"""Show the attention of teacher and student as a section of a page."""

from collections.abc import Mapping
from typing import Any

from tfminilm.report import plots
from tfminilm.report.page_parts import escaped as _text


def attention(evaluation: dict[str, Any] | None) -> str:
    """Return a section with a map of each; nothing without an example."""
    example = (evaluation or {}).get("attention_example")
    if not example:
        return ""
    divergence = _head_divergence(example)
    # The head of median divergence: neither the best nor the worst.
    order = sorted(range(len(divergence)), key=divergence.__getitem__)
    chosen = order[len(order) // 2]
    choices = "".join(
        f'<label><input type="radio" name="head" value="{i}"'
        f"{' checked' if i == chosen else ''}><span>{i + 1}"
        f"<small>{value:.2f}</small></span></label>"
        for i, value in enumerate(divergence)
    )
    maps = "\n".join(
        f'<figure><h3 class="{model}">{model.capitalize()}</h3>'
        + plots.attention_map(
            f"Attention of the {model}'s head {chosen + 1}",
            model,
            example["tokens"],
            example[model][chosen],
        )
        + "</figure>"
        for model in ("teacher", "student")
    )
    return (
        '<h2>Attention, side by side</h2>\n<p class="note">'
        f"<q>{_text(example['sentence'])}</q> A row shows what a token attends "
        "to; the colour grows with the square root.</p>\n"
        '<div class="card" id="attention">\n'
        '<fieldset class="heads"><legend>Head, and its KL divergence on this '
        f"sentence</legend>{choices}</fieldset>\n"
        f'<div class="pair maps">\n{maps}\n</div>\n'
        '<p class="readout" aria-live="polite"></p>\n</div>'
    )


def _head_divergence(example: Mapping[str, Any]) -> list[float]:
    """Return for each head the mean over queries of KL(teacher, student)."""
    import numpy as np

    teacher = np.asarray(example["teacher"], "float64") + 1e-6
    student = np.asarray(example["student"], "float64") + 1e-6
    teacher /= teacher.sum(-1, keepdims=True)
    student /= student.sum(-1, keepdims=True)
    rows = (teacher * np.log(teacher / student)).sum(-1)
    return rows.mean(-1).tolist()
