"""Whether a logit model has finite strengths that fit best, or can always be improved by pulling them further apart."""

import numpy as np

TOLERANCE = 1e-7


def is_separated(margins: np.ndarray, *, positive: bool = False) -> bool:
    """Whether some direction raises no margin's loss and lowers one (Albert and Anderson 1984).

    `margins` float `(M, Q)`: one row for each thing that was observed and each thing that might have been instead, the
    difference of what both score per parameter. A direction u with `margins @ u >= 0`, not all 0, can be followed for
    ever. `positive` looks among u >= 0 alone.
    """
    from scipy.optimize import linprog  # not above: a third of a second of every command's start

    scale = np.abs(margins).max(axis=1, initial=0.0)
    rows = margins[scale > 0] / scale[scale > 0, None]
    if not len(rows):
        return False
    rows = np.unique(rows, axis=0)
    ends = (0.0, 1.0) if positive else (-1.0, 1.0)
    found = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=[ends] * rows.shape[1], method="highs")
    assert found.success, f"a bounded programme with a feasible origin has a solution: {found.message}"
    return bool(-found.fun > TOLERANCE)
