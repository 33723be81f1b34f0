"""Vectors of pictures that came with them: `PICTURE_step_vector.json` beside it, as `import vectors` writes it.

A sidecar is untrusted input: what cannot be used is a remark, and the vector is computed.
"""

import json
from pathlib import Path

import numpy as np

ENDING = "_step_vector.json"
MAX_BYTES = 2**20
"""A vector of 8192 numbers takes about 100 kB."""


def given_vector(picture: Path, *, space: str, model: str) -> tuple[np.ndarray | None, str | None]:
    """The unit vector float32 `(D,)` that lies beside a picture, of just this space and model; or None and, where one lies there, why."""
    path = picture.with_name(f"{picture.stem}{ENDING}")
    try:
        if not path.is_file():
            return None, None
        if path.stat().st_size > MAX_BYTES:
            return None, f"{path.name} is passed over: it has more than {MAX_BYTES} bytes"
        told = json.loads(path.read_bytes())
        if (told["file"], told["space"]) != (picture.name, space):
            return None, None
        if told["model"] != model:
            return None, f"{path.name} is passed over: its vector is of {told['model']!s:.80}, the role is bound to {model}"
        vector = np.asarray(told["vector"], np.float32)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return None, f"{path.name} is passed over: {type(error).__name__} {str(error)[:80]}; import its vector again"
    length = float(np.linalg.norm(vector)) if vector.ndim == 1 and vector.size else np.nan
    if not abs(length - 1.0) < 1e-3:
        return None, f"{path.name} is passed over: it holds no unit vector; import its vector again"
    return vector / length, None
