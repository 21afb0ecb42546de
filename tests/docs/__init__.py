"""Tests of the documentation: links, commands, and pages that are written from the code."""
