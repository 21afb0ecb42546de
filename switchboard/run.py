"""Run one service of the mesh by its name in mesh.toml: `python -m switchboard.run shop`."""

import importlib.util
import runpy
import sys

from switchboard.runtime.mesh_file import MeshFileError, find_mesh_file, read_mesh_file


def main(arguments: list[str]) -> int:
    """Run the service until it ends and return the exit code. An unknown service or module is one line on stderr."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m switchboard.run SERVICE\n")
        return 2
    try:
        path = find_mesh_file()
        module = read_mesh_file(path).module(arguments[0])
    except MeshFileError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # The services' modules are in the folder of mesh.toml, which may be a parent of the working directory.
    sys.path.insert(0, str(path.parent))
    if not module_exists(module):
        sys.stderr.write(
            f"There is no module {module} in {path.parent}. Correct `module` of the service in {path.name}.\n"
        )
        return 1
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def module_exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return False
        raise  # A dependency of the module is missing.


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
