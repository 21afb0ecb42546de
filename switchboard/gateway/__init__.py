"""The HTTP gateway of a mesh."""
