"""Pre-registered experiments on a sample world of 64 x 64 pixels (`docs/experiments.md`): `python -m bench.experiments`.

- `scenes`: the sample world's people, animals, products and places, drawn for tiny frames, with their truth.
- `worlds`: which scenes a world has, by name.
- `exports`: a world as a real export folder.
- `table`: every experiment and row, one training config each.
- `training`: a row's run, by the product's own trainer.
- `generation`: videos of test cases, by the product's own samplers.
- `measures`: what is measured of a video against the scene that was asked for.
- `evaluating`: what the product's own evaluation says of the same videos, and `truths`: what it can tell at this size.
- `document`: tables and plots, written into `docs/experiments.md`.
"""
