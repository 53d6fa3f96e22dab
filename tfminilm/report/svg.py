"""The parts of a figure: axes, lines and words as SVG text."""

import dataclasses
import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 112, 14, 40

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Series:
    """A line: its label, CSS class, and (x, y) points; y may be NaN."""

    label: str
    kind: str
    points: Sequence[Point]
    dots: bool = False


@dataclasses.dataclass(frozen=True)
class Axis:
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


def x_ticks(high: float) -> list[float]:
    """Return round positions from 0 to `high`."""
    return linear_ticks(0, high, 5)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Return up to `most` or so round positions from `low` to `high`."""
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def last(points: Sequence[Point]) -> Point | None:
    """Return the last point whose y is a number."""
    return next((p for p in reversed(points) if p[1] == p[1]), None)


def grid(
    x: Axis,
    y: Axis,
    label: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
) -> str:
    """Draw an axis of x with its label, and rules at the ticks of y."""
    parts = []
    for tick in y_ticks:
        height = y.at(tick)
        parts.append(
            f'<path class="grid" d="M{x.start:g} {height:.1f}H{x.stop:g}"/>'
        )
        parts.append(text(x.start - 7, height + 4, f"{tick:g}", "tick", "end"))
    for tick in x_ticks:
        number = f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}"
        parts.append(text(x.at(tick), y.start + 17, number, "tick", "middle"))
    parts.append(
        f'<path class="base" d="M{x.start:g} {y.start:g}H{x.stop:g}"/>'
    )
    parts.append(text(x.stop, y.start + 33, label, "axis", "end"))
    return "".join(parts)


def line(series: Series, x: Axis, y: Axis) -> str:
    """Draw a line, interrupted where y is NaN."""
    path, pen_up = [], True
    dots = []
    for step, value in series.points:
        if value != value:
            pen_up = True
            continue
        px, py = x.at(step), y.at(value)
        path.append(f"{'M' if pen_up else 'L'}{px:.1f} {py:.1f}")
        pen_up = False
        if series.dots:
            dots.append(
                f'<circle class="dot {series.kind}" cx="{px:.1f}" '
                f'cy="{py:.1f}" r="3.5"/>'
            )
    return f'<path class="line {series.kind}" d="{"".join(path)}"/>' + "".join(
        dots
    )


def text(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    """Draw words at a place; `anchor` is "start", "middle" or "end"."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" '
        f'text-anchor="{anchor}">{html.escape(words)}</text>'
    )


def picture(
    name: str,
    body: str,
    height: float,
    width: float = WIDTH,
    attributes: str = 'class="whole"',
) -> str:
    """Return an `<svg>` element that screen readers call `name`."""
    title = html.escape(name)
    return (
        f'<svg {attributes} viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{title}"><title>{title}</title>{body}</svg>'
    )
