"""The project's version. The build of the wheel reads it; a test compares the charts and the Dockerfile with it."""

VERSION = "0.1.0"
