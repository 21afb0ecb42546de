"""mesh.toml: names that Kubernetes accepts, and messages in TOML's terms."""

from pathlib import Path

import pytest

from switchboard.runtime.mesh_file import MeshFileError, read_mesh_file

GOOD = """
name = "shop"
[services.front]
module = "front"
port = 9181
image = "shop-front"
"""


def read(folder: Path, text: str) -> str:
    """Write a mesh.toml, read it, and return the error; "" if it is valid."""
    (folder / "mesh.toml").write_text(text, encoding="utf-8")
    try:
        read_mesh_file(folder / "mesh.toml")
    except MeshFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["a", "shop", "my-shop", "shop2", "a" * 40])
def test_mesh_name_is_a_dns_label(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, GOOD.replace('name = "shop"', f'name = "{name}"')) == ""


@pytest.mark.parametrize("name", ["a-", "my-shop-", "-shop", "2shop", "My", "a" * 41])
def test_mesh_name_that_is_no_dns_label_is_rejected(tmp_path: Path, name: str) -> None:
    assert "name: a mesh's name" in read(tmp_path, GOOD.replace('name = "shop"', f'name = "{name}"'))


@pytest.mark.parametrize("image", ["", "tools", "tools-of-shop", "team/tools_of.shop", "a--b", "a__b"])
def test_image_is_a_repository_name(tmp_path: Path, image: str) -> None:
    assert read(tmp_path, GOOD.replace("shop-front", image)) == ""


@pytest.mark.parametrize("image", ["a-", "-a", "team/", "team/a-", "Tools", "a b", "tools:1.0"])
def test_image_that_is_no_repository_name_is_rejected(tmp_path: Path, image: str) -> None:
    assert "services.front.image: an image's name" in read(tmp_path, GOOD.replace("shop-front", image))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('name = "shop"\nservices = 3', "services: it must be a table"),
        ('name = "shop"\n[[services]]\nmodule = "front"', "services: it must be a table"),
        ('name = "shop"\nservices.front = 3', "services.front: it must be a table"),
        ('name = "shop"\n[services]', "services: it must have at least 1 entry"),
        (GOOD + 'uses = "model"', "services.front.uses: it must be a list"),
        ('example = ""' + GOOD, "example: it must have at least 1 character"),
    ],
)
def test_mesh_file_errors_use_the_words_of_toml(tmp_path: Path, text: str, problem: str) -> None:
    error = read(tmp_path, text)
    assert error.endswith(f"mesh.toml: {problem}.")
