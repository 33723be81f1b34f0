"""Made-up vectors with the structure of real banks: categories, identities in them, views of each, near-duplicates."""

import numpy as np


def clustered(
    num: int, *, identities: int, categories: int, length: int, seed: int, categories_seed: int | None = None
) -> np.ndarray:
    """Unit vectors float32 `(num, length)`, views of one identity side by side; 2 % near-duplicates.

    Sets of equal `categories_seed` share their categories.

    200,000 of 40,000 identities in 400 categories are the set of the retrieval measurements: about 4 true neighbours of each
    in [.6, .95), and 478 dimensions that chance works in.
    """
    rng = np.random.default_rng(seed)

    def noise(rows: int) -> np.ndarray:
        return _unit(rng.standard_normal((rows, length), np.float32))

    if categories_seed is None:
        centres = noise(categories)
    else:
        centres = _unit(np.random.default_rng(categories_seed).standard_normal((categories, length), np.float32))
    people = _unit(0.6 * centres[rng.integers(0, categories, identities)] + 0.8 * noise(identities))
    who = np.sort(rng.integers(0, identities, num))
    views = _unit(people[who] + rng.uniform(0.35, 0.95, (num, 1)).astype(np.float32) * noise(num))
    copies = rng.choice(num - 1, num // 50, replace=False)
    views[copies + 1] = _unit(views[copies] + 0.05 * noise(len(copies)))
    return views


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
