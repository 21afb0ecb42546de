"""The systems that do the same work without the mesh, each a process of its own."""
