"""The scripts that make pictures and links for the documentation."""

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.docs_links import on_page_markdown
from scripts.draw_trace import draw, spans_of
from scripts.record_demo import draw as draw_terminal
from scripts.record_demo import shown
from services.demo import SCENES

PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="operate/scale.md"))


@pytest.mark.parametrize(
    ("markdown", "repository", "expected"),
    [
        ("[network](network.md#dns)", "", "[network](network.md#dns)"),
        ("[Restate](https://restate.dev)", "", "[Restate](https://restate.dev)"),
        ("[values](../../deploy/values.yaml)", "", "values"),
        (
            "[values](../../deploy/values.yaml#x)",
            "https://git.example.org/mesh/",
            "[values](https://git.example.org/mesh/blob/main/deploy/values.yaml#x)",
        ),
    ],
)
def test_links_out_of_the_docs_lead_to_the_repository(markdown: str, repository: str, expected: str) -> None:
    assert on_page_markdown(markdown, page=PAGE, config={"repo_url": repository}) == expected


def span(span_id: str, process: str, start: int, parent: str = "") -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "spanID": parent}] if parent else []
    operation = f"do {span_id} <now>"
    return {
        "spanID": span_id,
        "processID": process,
        "operationName": operation,
        "startTime": start,
        "duration": 500,
        "references": references,
    }


def test_trace_is_drawn_without_the_spans_of_restate() -> None:
    spans = [span("a", "p1", 0), span("r", "p2", 10, "a"), span("c", "p3", 20, "r"), span("b", "p3", 15, "r")]
    processes = {"p1": {"serviceName": "triage"}, "p2": {"serviceName": "Restate"}, "p3": {"serviceName": "bank"}}
    answer = {"data": [{"spans": spans, "processes": processes}]}
    assert [(depth, each["spanID"], name) for depth, each, name in spans_of(answer)] == [
        (0, "a", "triage"),
        (1, "b", "bank"),
        (1, "c", "bank"),
    ]
    picture = draw(answer)
    assert "&lt;now&gt;" in picture
    assert "Restate" not in picture


def test_picture_of_the_demo_has_two_messages_and_fetches_nothing() -> None:
    recording = "\n".join(
        f"\x1b[1m{scene.title}\x1b[0m ────\n\n" + "".join(f"{scene.customer}   {says.text}\n" for says in scene.says)
        for scene in SCENES
    )
    text = shown(recording)
    assert SCENES[0].says[0].text in text.plain
    assert SCENES[0].says[1].text not in text.plain
    picture = draw_terminal(text)
    assert picture.startswith("<svg")
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
