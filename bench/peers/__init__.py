"""Systems that do the same work without the mesh, each in its own process."""
