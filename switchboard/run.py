"""Runs one service of the mesh by its name in mesh.toml: `python -m switchboard.run shop`."""

import runpy
import sys

from switchboard.runtime.mesh_file import MeshFileError, find_mesh_file, read_mesh_file


def main(arguments: list[str]) -> int:
    """Run the service until it ends; 1 with one sentence on stderr when mesh.toml does not name it."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m switchboard.run SERVICE\n")
        return 2
    try:
        module = read_mesh_file(find_mesh_file()).module(arguments[0])
    except MeshFileError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
