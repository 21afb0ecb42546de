"""Whole conversations with models behind endpoints that refuse what real ones refuse."""
