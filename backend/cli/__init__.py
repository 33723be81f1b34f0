"""`studio-backend`: the headless commands. See `studio-backend --help`."""


def main() -> None:
    """Runs the command that the arguments name."""
    from backend.cli.app import main as run  # not above: spawned workers import this module, and need none of that

    run()


__all__ = ["main"]
