"""Golden files: what each chart renders with each of its values files. Run this module to update them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.charts.rendering import HELM_DIR, Manifest, Settings, render, values_files

FOLDER = Path(__file__).parent / "golden"

REQUIRED_VALUES: dict[tuple[str, str], Settings] = {
    # Otherwise the chart creates another random key at each render.
    ("agent-mesh", "default"): {"gateway.auth.existingSecret": "customers-tokens"},
    ("agent-mesh", "local"): {"gateway.auth.existingSecret": "customers-tokens"},
    ("mesh-platform", "ha"): {"restate.snapshots.destination": "s3://example-bucket/restate/snapshots"},
}
"""Required values that a values file leaves to the user."""

API_VERSIONS = (
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "gateway.networking.k8s.io/v1/HTTPRoute",
)
"""The golden files include the objects for the Prometheus operator and the Gateway API."""

KUBE_VERSION = "1.34.0"


class Golden(NamedTuple):
    chart: str
    values: str
    """`default`, or the part after `values-` in a values file's name."""

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.chart}-{self.values}.yaml"

    @property
    def files(self) -> tuple[str, ...]:
        return () if self.values == "default" else (f"values-{self.values}.yaml",)

    @property
    def required_values(self) -> Settings:
        return REQUIRED_VALUES.get((self.chart, self.values), {})

    def render(self) -> list[Manifest]:
        """Render the chart's own objects, without those of its dependencies."""
        return render(
            self.chart,
            *self.files,
            set=self.required_values,
            api_versions=API_VERSIONS,
            kube_version=KUBE_VERSION,
            dependencies=False,
        )

    def text(self) -> str:
        note = "# Rendered by helm; `make golden` updates it. Read the diff before you commit it.\n"
        width = 120
        return note + yaml.safe_dump_all(self.render(), sort_keys=False, width=width, allow_unicode=True)


def goldens(chart: str | None = None) -> Iterator[Golden]:
    """Yield a golden file for the defaults and for each values file, of one chart or of all."""
    # Skips mesh-operator, which has no objects of its own.
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
