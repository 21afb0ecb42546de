"""Figures by series, system and round, and what is made of them: medians, ratios, spread. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Results:
    """`series[name][system]` holds one figure for each round; `calibration_ms` one for each single measurement."""

    machine: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    calibration_ms: list[float] = field(default_factory=list)
    series: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, series: str, system: str, figure: float) -> None:
        self.series.setdefault(series, {}).setdefault(system, []).append(round(figure, 3))

    def figures(self, series: str, system: str) -> list[float]:
        """Empty when this was not measured."""
        return self.series.get(series, {}).get(system, [])

    def median(self, series: str, system: str) -> float | None:
        figures = self.figures(series, system)
        return statistics.median(figures) if figures else None

    def ratio(self, series: str, system: str, other: str) -> float | None:
        """The median of the ratios of what was measured side by side, in the same round."""
        return median_ratio(self.figures(series, system), self.figures(series, other))

    def growth(self, series: str, earlier: str, system: str) -> float | None:
        """The same between two series of one system."""
        return median_ratio(self.figures(series, system), self.figures(earlier, system))


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float | None:
    """None when nothing was measured side by side."""
    ratios = [a / b for a, b in zip(above, below, strict=False) if b]
    return statistics.median(ratios) if ratios else None


def spread(figures: Sequence[float]) -> float:
    """Largest over smallest: 1 is a machine without noise."""
    return max(figures) / min(figures) if figures else 1.0
