"""The page's figures as SVG text, coloured by the page's own variables.

They are not drawn by a plotting library, so that they are small and adapt to
dark mode, paper and phones like the rest of the page.
"""

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

from tfminilm.report import svg

# Mean width of a character at the figures' 12 pixels, for placing labels.
_CHARACTER = 6.4
_MOST_POINTS = 400
# The range of y; points outside it, such as 0 and infinity, are left out.
_Y_RANGE = (1e-30, 1e30)


@dataclasses.dataclass(frozen=True)
class Bubble:
    """A disc whose area is `size`, labelled by two lines of text."""

    lines: tuple[str, str]
    kind: str
    x: float
    y: float
    size: float


def line_chart(name: str, series: Sequence[svg.Series]) -> str:
    """Draw lines over steps on a log axis, each labelled at its end.

    Args:
        name: what the chart shows, for screen readers.
        series: the lines; at values that are not finite or not positive a
            line is interrupted.

    Returns:
        An `<svg>` element, or nothing if there is no point to draw.
    """
    drawn = [
        dataclasses.replace(line, points=_thin(_positive(line.points)))
        for line in series
    ]
    finite = [p for line in drawn for p in line.points if p[1] == p[1]]
    if not finite:
        return ""
    x = svg.Axis(
        0, max(p[0] for p in finite) or 1, svg.LEFT, svg.WIDTH - svg.RIGHT
    )
    low, high = min(p[1] for p in finite), max(p[1] for p in finite)
    y = svg.Axis(
        low / 1.15, high * 1.15, svg.HEIGHT - svg.BOTTOM, svg.TOP, log=True
    )
    parts = [
        svg.grid(x, y, "step", svg.x_ticks(x.high), _log_ticks(y.low, y.high))
    ]
    for line in drawn:
        parts.append(svg.line(line, x, y))
    ends = [
        (line, end)
        for line in drawn
        if (end := svg.last(line.points)) is not None
    ]
    parts.append(_end_labels(ends, x, y))
    description = "; ".join(
        f"{line.label} ends at {end[1]:.3g}" for line, end in ends
    )
    return svg.picture(f"{name}: {description}", "".join(parts), svg.HEIGHT)


def share_chart(
    name: str,
    series: Sequence[svg.Series],
    x_label: str,
    y_low: float = 0.0,
) -> str:
    """Draw lines of shares over shares, both up to 1, labelled in the picture.

    Args:
        name: what the chart shows, for screen readers.
        series: the lines; y of a line with dots may be of few points.
        x_label: what x is.
        y_low: where y begins.

    Returns:
        An `<svg>` element.
    """
    x = svg.Axis(0, 1, svg.LEFT, svg.WIDTH - svg.RIGHT)
    y = svg.Axis(y_low, 1, svg.HEIGHT - svg.BOTTOM, svg.TOP)
    ticks = svg.linear_ticks(y_low, 1, 5)
    parts = [svg.grid(x, y, x_label, svg.linear_ticks(0, 1, 5), ticks)]
    lowest = -math.inf
    series = [line for line in series if line.points]
    ends = [(line, line.points[-1]) for line in series]
    for line in series:
        points = [(a, max(b, y_low)) for a, b in _thin(line.points)]
        parts.append(svg.line(dataclasses.replace(line, points=points), x, y))
    for line, (_, value) in sorted(ends, key=lambda end: -end[1][1]):
        lowest = max(y.at(max(value, y_low)) + 4, lowest + 16)
        kind = f"label {line.kind}"
        label = line.label if len(line.label) <= 16 else line.label[:15] + "…"
        parts.append(svg.text(x.stop + 8, lowest, label, kind, "start"))
    return svg.picture(name, "".join(parts), svg.HEIGHT)


def scatter(
    name: str, kind: str, points: Sequence[svg.Point], x_label: str
) -> str:
    """Draw dots over x, and the line on which both are the same.

    Args:
        name: what the chart shows, for screen readers.
        kind: CSS class of the dots.
        points: at least one, of finite numbers.
        x_label: what x is.

    Returns:
        An `<svg>` element.
    """
    values = [value for point in points for value in point]
    low, high = min(values), max(values)
    high = high if high > low else low + 1
    x = svg.Axis(low, high, svg.LEFT, svg.WIDTH - 12)
    y = svg.Axis(low, high, svg.HEIGHT - svg.BOTTOM, svg.TOP)
    ticks = svg.linear_ticks(low, high, 5)
    ideal = svg.Series("", "train", [(low, low), (high, high)])
    dots = [
        f'<circle class="bubble {kind}" cx="{x.at(a):.1f}" '
        f'cy="{y.at(b):.1f}" r="3.5"/>'
        for a, b in points
    ]
    parts = [svg.grid(x, y, x_label, ticks, ticks), svg.line(ideal, x, y)]
    return svg.picture(name, "".join([*parts, *dots]), svg.HEIGHT)


def count_matrix(
    name: str, kind: str, labels: Sequence[str], counts: Sequence[Sequence[int]]
) -> str:
    """Draw counts in cells, rows by their class and columns by the answer.

    Args:
        name: what the picture shows, for screen readers.
        kind: CSS class of the cells.
        labels: the classes' names.
        counts: `[classes, classes]`; the shade is the share of its row.
    """
    cell = 40
    short = [x if len(x) <= 18 else x[:17] + "…" for x in labels]
    margin = round(max(map(len, short)) * _CHARACTER + 12)
    side = margin + cell * len(labels) + 2
    parts = []
    for i, label in enumerate(short):
        middle = margin + cell * i + cell / 2
        parts.append(svg.text(margin - 6, middle + 4, label, "token", "end"))
        parts.append(
            f'<text class="token" text-anchor="start" transform='
            f'"translate({middle + 4:g} {margin - 6}) rotate(-90)">'
            f"{html.escape(label)}</text>"
        )
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            share = count / max(sum(row), 1)
            left, top = margin + cell * j, margin + cell * i
            parts.append(
                f'<rect class="cell {kind}" x="{left + 1}" y="{top + 1}" '
                f'width="{cell - 2}" height="{cell - 2}" rx="2" '
                f'fill-opacity="{0.75 * cell_opacity(share):.3g}"/>'
            )
            if count:
                x, y = left + cell / 2, top + cell / 2 + 4
                parts.append(svg.text(x, y, str(count), "token", "middle"))
    attributes = f'width="{side}" class="matrix"'
    return svg.picture(name, "".join(parts), side, side, attributes)


def bubble_chart(
    name: str,
    bubbles: Sequence[Bubble],
    x_label: str,
    y_label: str,
    width: int,
) -> str:
    """Draw discs over x from 0 and over y up to 1, with labels.

    Returns:
        An `<svg>` element, or nothing if there is no bubble.
    """
    if not bubbles:
        return ""
    height = 320
    top = max(b.size for b in bubbles)
    radii = [30 * math.sqrt(b.size / top) for b in bubbles]
    floor = min(b.y for b in bubbles)
    span = max(1 - floor, 0.02)
    x = svg.Axis(0, 1.25 * max(b.x for b in bubbles), svg.LEFT, width - 12)
    y = svg.Axis(
        floor - 0.5 * span, 1 + 0.5 * span, height - svg.BOTTOM, svg.TOP + 10
    )
    ticks = [t for t in svg.linear_ticks(y.low, y.high, 5) if t <= 1 + 1e-9]
    parts = [svg.grid(x, y, x_label, svg.x_ticks(x.high), ticks)]
    parts.append(svg.text(4, svg.TOP, y_label, "axis", "start"))
    places = [(x.at(b.x), y.at(b.y)) for b in bubbles]
    for bubble, (cx, cy), radius in zip(bubbles, places, radii, strict=True):
        parts.append(
            f'<circle class="bubble {bubble.kind}" cx="{cx:.1f}" '
            f'cy="{cy:.1f}" r="{radius:.1f}"/>'
        )
    boxes = [
        (cx - r, cy - r, cx + r, cy + r)
        for (cx, cy), r in zip(places, radii, strict=True)
    ]
    for bubble, (cx, cy), radius in zip(bubbles, places, radii, strict=True):
        parts.append(_bubble_label(bubble, cx, cy, radius, boxes, width))
    description = "; ".join(", ".join(b.lines) for b in bubbles)
    return svg.picture(f"{name}: {description}", "".join(parts), height, width)


def attention_map(
    name: str, kind: str, tokens: Sequence[str], probs: Sequence[Sequence]
) -> str:
    """Draw a square of cells: row `i` shows what token `i` attends to.

    Args:
        name: what the map shows, for screen readers.
        kind: CSS class of the cells.
        tokens: the sentence's tokens.
        probs: `[length, length]` probabilities; rows are queries.
    """
    cell, longest = 22, max(len(token) for token in tokens)
    margin = round(min(longest, 14) * _CHARACTER + 10)
    side = margin + cell * len(tokens) + 2
    parts = []
    for i, token in enumerate(tokens):
        middle = margin + cell * i + cell / 2
        label = token if len(token) <= 14 else token[:13] + "…"
        parts.append(
            svg.text(margin - 6, middle + 4, label, "token row", "end")
        )
        parts.append(
            f'<text class="token column" text-anchor="start" transform='
            f'"translate({middle + 4:g} {margin - 6}) rotate(-90)">'
            f"{html.escape(label)}</text>"
        )
    for i, row in enumerate(probs):
        for j, prob in enumerate(row):
            parts.append(
                f'<rect class="cell {kind}" x="{margin + cell * j + 1}" '
                f'y="{margin + cell * i + 1}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="2" data-cell="{i * len(row) + j}" '
                f'fill-opacity="{cell_opacity(prob):.3g}"/>'
            )
    # Limits the size: a short sentence would fill the page.
    return svg.picture(
        name, "".join(parts), side, side, f'width="{1.2 * side:.0f}"'
    )


def cell_opacity(prob: float) -> float:
    """Return the square root, which makes small probabilities visible."""
    return math.sqrt(min(max(prob, 0.0), 1.0)) if prob == prob else 0.0


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [
            digit * 10.0**decade
            for decade in decades
            for digit in digits
            if low <= digit * 10.0**decade <= high
        ]
        if len(ticks) >= 3:
            return ticks
    return ticks or [low, high]


def _positive(points: Iterable[svg.Point]) -> list[svg.Point]:
    nan = math.nan
    least, most = _Y_RANGE
    return [(x, y if least < y < most else nan) for x, y in points]


def _thin(points: Sequence[svg.Point]) -> list[svg.Point]:
    """Return at most about `_MOST_POINTS` points: means of neighbours."""
    size = math.ceil(len(points) / _MOST_POINTS)
    if size <= 1:
        return list(points)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [
        (
            g[-1][0],
            sum(p[1] for p in g) / len(g),
        )  # NaN if one of the points is NaN.
        for g in groups
    ]


def _end_labels(
    ends: Sequence[tuple[svg.Series, svg.Point]], x: svg.Axis, y: svg.Axis
) -> str:
    """Draw labels right of the lines' ends, without overlap."""
    lowest = -math.inf
    parts = []
    for line, (step, value) in sorted(ends, key=lambda end: -end[1][1]):
        lowest = max(y.at(value) + 4, lowest + 16)
        text = f"{line.label} {value:.3f}"
        kind = f"label {line.kind}"
        parts.append(svg.text(x.at(step) + 8, lowest, text, kind, "start"))
    return "".join(parts)


def _bubble_label(
    bubble: Bubble,
    cx: float,
    cy: float,
    radius: float,
    boxes: list[tuple[float, float, float, float]],
    width: float,
) -> str:
    """Draw two lines of text where they cover least; extend `boxes`."""
    wide = max(map(len, bubble.lines)) * _CHARACTER
    tall = 32
    middle = max(svg.LEFT, cx - wide / 2)  # Does not cover the axis' numbers.
    corners = [
        (cx + radius + 6, cy - tall / 2),
        (middle, cy + radius + 4),
        (middle, cy - radius - tall - 4),
        (cx - radius - 6 - wide, cy - tall / 2),
    ]

    def hidden(corner: svg.Point) -> float:
        left, top = corner
        over = sum(
            max(0, min(left + wide, right) - max(left, box_left))
            * max(0, min(top + tall, bottom) - max(top, box_top))
            for box_left, box_top, right, bottom in boxes
        )
        outside = max(0, svg.LEFT - left) + max(0, left + wide - width)
        return over + 1e3 * outside

    left, top = min(corners, key=hidden)
    boxes.append((left, top, left + wide, top + tall))
    first, second = bubble.lines
    return svg.text(
        left, top + 13, first, f"label {bubble.kind}", "start"
    ) + svg.text(left, top + 28, second, "tick", "start")
