"""`studio-backend`: the headless commands. See `studio-backend --help`."""


def main() -> None:
    """Runs the command that the arguments name."""
    from backend.loading import loading  # not above: spawned workers import this module, and need none of that

    with loading():
        from backend.cli.app import main as run

    run()


__all__ = ["main"]
