"""The HTTP edge of a mesh."""
