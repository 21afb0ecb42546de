"""The services whose whole images `make test` builds. Their packages take most of the time."""

from scripts.image_tree import services
from tests.parts import PROJECT, at_night

SHARED, OWN = "triage", "gateway"
"""A service with the packages that all images share, and the one with the most packages of its own."""

BUILT = [SHARED, OWN, *at_night(*(service for service in services(PROJECT) if service not in (SHARED, OWN)))]
