"""Benchmarks: each module has `run(...) -> list[dict]`; `python -m bench` prints and keeps them all."""
