"""Figures by series, system and round, with medians, ratios and spread. Pure functions."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Results:
    """`series[name][system]` has one figure per round; `calibration_ms` has one per measurement."""

    machine: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    calibration_ms: list[float] = field(default_factory=list)
    series: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, series: str, system: str, figure: float) -> None:
        self.series.setdefault(series, {}).setdefault(system, []).append(round(figure, 3))

    def figures(self, series: str, system: str) -> list[float]:
        """Return the figures, or an empty list if there are none."""
        return self.series.get(series, {}).get(system, [])

    def median(self, series: str, system: str) -> float | None:
        figures = self.figures(series, system)
        return statistics.median(figures) if figures else None

    def ratio(self, series: str, system: str, other: str) -> float | None:
        """Return the median of the ratios within each round, so that a slow round does not distort it."""
        return median_ratio(self.figures(series, system), self.figures(series, other))

    def growth(self, series: str, earlier: str, system: str) -> float | None:
        """Return the same ratio between two series of one system."""
        return median_ratio(self.figures(series, system), self.figures(earlier, system))


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float | None:
    """Return None if no round has both figures."""
    ratios = [a / b for a, b in zip(above, below, strict=False) if b]
    return statistics.median(ratios) if ratios else None


def spread(figures: Sequence[float]) -> float:
    """Return maximum divided by minimum; 1 means no noise."""
    return max(figures) / min(figures) if figures else 1.0
