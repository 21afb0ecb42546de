"""Writes the table of providers in docs/operate/providers.md from switchboard/models/providers.py: `make reference`."""

from pathlib import Path

from switchboard.models.providers import PROVIDERS, Provider

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operate" / "providers.md"
BEGIN = "<!-- providers: written by `make reference` -->"
END = "<!-- /providers -->"
APIS = {"responses": "Responses", "chat": "Chat Completions", "messages": "Messages"}


def page(text: str) -> str:
    """Return the page with its table renewed."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    lines = ["| name | provider | wire API | base URL | key | based on | tried |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(row(provider) for provider in PROVIDERS.values())])


def row(provider: Provider) -> str:
    prefix = provider.prefix
    address = f"`{provider.base_url}`" if provider.base_url else f"set `{prefix}_BASE_URL`"
    key = f"`{prefix}_API_KEY`" + ("" if provider.key_needed else ", optional")
    cells = (f"`{provider.name}`", provider.label, APIS[provider.api], address, key, provider.source, provider.tried)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
