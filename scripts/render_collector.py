"""Print the configuration of the collector or Jaeger from the platform chart, rendered by helm if possible."""

import argparse
import subprocess
import sys
from typing import Any

import yaml

from switchboard.local.observe import find_tool
from switchboard.local.platform_chart import IN_CHECKOUT, collector_config, jaeger_config

CONFIG_MAPS = {"collector": "relay", "jaeger": "user-config.yaml"}
"""Key of the configuration in the ConfigMap of each of the two charts."""


def helm_rendered() -> dict[str, Any]:
    """Return both configurations from the manifests that helm renders. Needs the chart's dependencies."""
    helm = find_tool("helm")
    command = [str(helm), "template", "platform", str(IN_CHECKOUT.parent), "--namespace", "mesh-platform"]
    manifests = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    maps = [each["data"] for each in yaml.safe_load_all(manifests) if each and each["kind"] == "ConfigMap"]
    return {part: yaml.safe_load(data[key]) for part, key in CONFIG_MAPS.items() for data in maps if key in data}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=CONFIG_MAPS, default="collector")
    part = parser.parse_args().part
    if find_tool("helm") and (IN_CHECKOUT.parent / "charts").is_dir():
        source, config = "helm template", helm_rendered()[part]
    else:
        source, config = "the chart's values", collector_config() if part == "collector" else jaeger_config()
    print(f"Source: {source}. Addresses come from the environment variables in it.", file=sys.stderr)
    print(yaml.safe_dump(config, sort_keys=False), end="")


if __name__ == "__main__":
    main()
