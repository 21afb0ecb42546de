"""Tools that every mesh can use."""
