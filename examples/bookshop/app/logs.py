"""Logging: lines with their level in front, to stderr."""

import logging


def configure() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")
    logging.getLogger("bookshop").setLevel(logging.DEBUG)
