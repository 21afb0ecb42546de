"""Records `switchboard demo` on a terminal, and draws two of its messages as docs/images/demo.svg.

`python -m scripts.record_demo` starts a mesh of its own, as the demo does. With a file as its argument it draws that
recording again, without a mesh; `--keep FILE` writes one.
"""

import argparse
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from services.demo import SCENES

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "demo.svg"
COLUMNS = 96
RULE = "──"

SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>switchboard demo</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""Rich's own format without its web fonts: a page must not fetch anything."""


def record() -> str:
    """Run the demo on a terminal of its own; return what it wrote to stdout, with its colours. Raises on a failure."""
    mine, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "switchboard.cli", "demo"]
    with subprocess.Popen(command, stdout=its, env=environment, cwd=ROOT) as demo:
        os.close(its)
        written = read_all(mine)
    if demo.returncode:
        raise SystemExit(f"The demo failed with exit code {demo.returncode}; nothing was drawn.")
    return written.replace("\r\n", "\n")


def read_all(descriptor: int) -> str:
    """Read until the terminal's other side is closed, which Linux reports as an error."""
    parts = []
    try:
        while part := os.read(descriptor, 65_536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts).decode()


def shown(recording: str) -> Text:
    """Return the first message of the first conversation, and that of the one whose tools run at once."""
    parallel = next(number for number, scene in enumerate(SCENES) if any(says.tools_at_once for says in scene.says))
    lines = Text.from_ansi(recording).split("\n", allow_blank=True)
    titles = [number for number, line in enumerate(lines) if RULE in line.plain]
    picked = [Text("")]
    for scene in (0, parallel):
        start = titles[scene]
        speaker = SCENES[scene].customer
        asked = [number for number in range(start + 1, len(lines)) if lines[number].plain.startswith(speaker)]
        picked += lines[start : min(asked[1], titles[scene + 1])]
    return Text("\n").join(picked)


def draw(text: Text) -> str:
    """Return the text as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ switchboard demo", style="bold"))
    console.print(text, end="")
    return console.export_svg(title="switchboard demo", code_format=SVG, unique_id="demo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, help="draw this recording")
    parser.add_argument("--keep", type=Path, help="also write the recording to this file")
    given = parser.parse_args()
    recording = given.recording.read_text() if given.recording else record()
    if given.keep:
        given.keep.write_text(recording)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(shown(recording)))


if __name__ == "__main__":
    main()
