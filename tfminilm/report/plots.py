"""The page's figures as SVG text, coloured by the page's own variables.

They are not drawn by a plotting library, so that they are small and adapt to
dark mode, paper and phones like the rest of the page.
"""

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

_WIDTH, _HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 112, 14, 40
# Mean width of a character at the figures' 12 pixels, for placing labels.
_CHARACTER = 6.4
_MOST_POINTS = 400
# The range of y; points outside it, such as 0 and infinity, are left out.
_Y_RANGE = (1e-30, 1e30)

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Series:
    """A line: its label, CSS class, and (x, y) points; y may be NaN."""

    label: str
    kind: str
    points: Sequence[Point]
    dots: bool = False


@dataclasses.dataclass(frozen=True)
class Bubble:
    """A disc whose area is `size`, labelled by two lines of text."""

    lines: tuple[str, str]
    kind: str
    x: float
    y: float
    size: float


@dataclasses.dataclass(frozen=True)
class _Axis:
    """A value range laid along `start`..`stop` of the picture."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = map(math.log, (low, high, value))
        part = (value - low) / (high - low)
        return self.start + part * (self.stop - self.start)


def line_chart(name: str, series: Sequence[Series]) -> str:
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
    x = _Axis(0, max(p[0] for p in finite) or 1, _LEFT, _WIDTH - _RIGHT)
    low, high = min(p[1] for p in finite), max(p[1] for p in finite)
    y = _Axis(low / 1.15, high * 1.15, _HEIGHT - _BOTTOM, _TOP, log=True)
    parts = [_grid(x, y, "step", _x_ticks(x.high), _log_ticks(y.low, y.high))]
    for line in drawn:
        parts.append(_line(line, x, y))
    ends = [
        (line, end) for line in drawn if (end := _last(line.points)) is not None
    ]
    parts.append(_end_labels(ends, x, y))
    description = "; ".join(
        f"{line.label} ends at {end[1]:.3g}" for line, end in ends
    )
    return _svg(f"{name}: {description}", "".join(parts), _HEIGHT)


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
    x = _Axis(0, 1.25 * max(b.x for b in bubbles), _LEFT, width - 12)
    y = _Axis(floor - 0.5 * span, 1 + 0.5 * span, height - _BOTTOM, _TOP + 10)
    ticks = [t for t in _linear_ticks(y.low, y.high, 5) if t <= 1 + 1e-9]
    parts = [_grid(x, y, x_label, _x_ticks(x.high), ticks)]
    parts.append(_text(4, _TOP, y_label, "axis", "start"))
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
    return _svg(f"{name}: {description}", "".join(parts), height, width)


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
        parts.append(_text(margin - 6, middle + 4, label, "token row", "end"))
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
    return _svg(name, "".join(parts), side, side, f'width="{1.2 * side:.0f}"')


def cell_opacity(prob: float) -> float:
    """Return the square root, which makes small probabilities visible."""
    return math.sqrt(min(max(prob, 0.0), 1.0)) if prob == prob else 0.0


def _x_ticks(high: float) -> list[float]:
    """Return round positions from 0 to `high`."""
    return _linear_ticks(0, high, 5)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


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


def _positive(points: Iterable[Point]) -> list[Point]:
    nan = math.nan
    least, most = _Y_RANGE
    return [(x, y if least < y < most else nan) for x, y in points]


def _thin(points: Sequence[Point]) -> list[Point]:
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


def _last(points: Sequence[Point]) -> Point | None:
    return next((p for p in reversed(points) if p[1] == p[1]), None)


def _grid(
    x: _Axis,
    y: _Axis,
    label: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
) -> str:
    parts = []
    for tick in y_ticks:
        height = y.at(tick)
        parts.append(
            f'<path class="grid" d="M{x.start:g} {height:.1f}H{x.stop:g}"/>'
        )
        parts.append(_text(x.start - 7, height + 4, f"{tick:g}", "tick", "end"))
    for tick in x_ticks:
        text = f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}"
        parts.append(_text(x.at(tick), y.start + 17, text, "tick", "middle"))
    parts.append(
        f'<path class="base" d="M{x.start:g} {y.start:g}H{x.stop:g}"/>'
    )
    parts.append(_text(x.stop, y.start + 33, label, "axis", "end"))
    return "".join(parts)


def _line(line: Series, x: _Axis, y: _Axis) -> str:
    path, pen_up = [], True
    dots = []
    for step, value in line.points:
        if value != value:
            pen_up = True
            continue
        px, py = x.at(step), y.at(value)
        path.append(f"{'M' if pen_up else 'L'}{px:.1f} {py:.1f}")
        pen_up = False
        if line.dots:
            dots.append(
                f'<circle class="dot {line.kind}" cx="{px:.1f}" '
                f'cy="{py:.1f}" r="3.5"/>'
            )
    return f'<path class="line {line.kind}" d="{"".join(path)}"/>' + "".join(
        dots
    )


def _end_labels(
    ends: Sequence[tuple[Series, Point]], x: _Axis, y: _Axis
) -> str:
    """Draw labels right of the lines' ends, without overlap."""
    lowest = -math.inf
    parts = []
    for line, (step, value) in sorted(ends, key=lambda end: -end[1][1]):
        lowest = max(y.at(value) + 4, lowest + 16)
        text = f"{line.label} {value:.3f}"
        kind = f"label {line.kind}"
        parts.append(_text(x.at(step) + 8, lowest, text, kind, "start"))
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
    middle = max(_LEFT, cx - wide / 2)  # Does not cover the axis' numbers.
    corners = [
        (cx + radius + 6, cy - tall / 2),
        (middle, cy + radius + 4),
        (middle, cy - radius - tall - 4),
        (cx - radius - 6 - wide, cy - tall / 2),
    ]

    def hidden(corner: Point) -> float:
        left, top = corner
        over = sum(
            max(0, min(left + wide, right) - max(left, box_left))
            * max(0, min(top + tall, bottom) - max(top, box_top))
            for box_left, box_top, right, bottom in boxes
        )
        outside = max(0, _LEFT - left) + max(0, left + wide - width)
        return over + 1e3 * outside

    left, top = min(corners, key=hidden)
    boxes.append((left, top, left + wide, top + tall))
    first, second = bubble.lines
    return _text(
        left, top + 13, first, f"label {bubble.kind}", "start"
    ) + _text(left, top + 28, second, "tick", "start")


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" '
        f'text-anchor="{anchor}">{html.escape(text)}</text>'
    )


def _svg(
    name: str,
    body: str,
    height: float,
    width: float = _WIDTH,
    attributes: str = 'class="whole"',
) -> str:
    title = html.escape(name)
    return (
        f'<svg {attributes} viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{title}"><title>{title}</title>{body}</svg>'
    )
