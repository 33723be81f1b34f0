"""`studio-backend`: the headless commands. See `studio-backend --help`."""

from backend.cli.app import main

__all__ = ["main"]
