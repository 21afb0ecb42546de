"""What each chart renders with each of its values files, kept as files that a reviewer reads; renews them when run."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.charts.rendering import HELM_DIR, Manifest, Settings, render, values_files

FOLDER = Path(__file__).parent / "golden"

ANSWERS: dict[tuple[str, str], Settings] = {
    # Made by the chart, it is another one each time.
    ("agent-mesh", "default"): {"gateway.auth.existingSecret": "customers-tokens"},
    ("agent-mesh", "local"): {"gateway.auth.existingSecret": "customers-tokens"},
    ("mesh-platform", "ha"): {"restate.snapshots.destination": "s3://example-bucket/restate/snapshots"},
}
"""What a values file leaves to whoever installs, and cannot do without."""

API_VERSIONS = (
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "gateway.networking.k8s.io/v1/HTTPRoute",
)
"""The cluster of the golden renders has the Prometheus operator and the Gateway API: so that all there is, is seen."""

KUBE_VERSION = "1.34.0"


class Golden(NamedTuple):
    chart: str
    values: str
    """`default`, or what stands behind `values-` in a values file's name."""

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.chart}-{self.values}.yaml"

    @property
    def files(self) -> tuple[str, ...]:
        return () if self.values == "default" else (f"values-{self.values}.yaml",)

    @property
    def answers(self) -> Settings:
        return ANSWERS.get((self.chart, self.values), {})

    def render(self) -> list[Manifest]:
        """Our own objects; those of the charts that others keep are theirs to change."""
        return render(
            self.chart,
            *self.files,
            set=self.answers,
            api_versions=API_VERSIONS,
            kube_version=KUBE_VERSION,
            dependencies=False,
        )

    def text(self) -> str:
        note = "# Rendered by helm; `make golden` renews it. Read the difference before you commit it.\n"
        width = 120
        return note + yaml.safe_dump_all(self.render(), sort_keys=False, width=width, allow_unicode=True)


def goldens(chart: str | None = None) -> Iterator[Golden]:
    """Of every chart, or of one: its defaults, and each values file beside them."""
    # A chart without objects of its own (the operator's) has nothing to keep.
    charts = [chart] if chart else sorted({path.parents[1].name for path in HELM_DIR.glob("*/templates/*.yaml")})
    for each in charts:
        files = [name.removeprefix("values-").removesuffix(".yaml") for name in values_files(each)]
        yield from (Golden(each, name) for name in ("default", *files))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    wanted = {golden.path: golden.text() for golden in goldens()}
    for path in FOLDER.glob("*.yaml"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
