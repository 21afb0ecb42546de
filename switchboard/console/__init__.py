"""The files of the console's pages. `switchboard.gateway.console` serves them."""

from importlib.resources import files

FILES = {
    file.name: file.read_bytes()
    for file in files(__package__).iterdir()
    if not file.name.endswith(".py") and file.is_file()
}
"""Content by name."""
