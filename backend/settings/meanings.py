"""What the fields of a settings record mean, as its source says: the text below a field, or the comment behind it."""

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
from functools import lru_cache


@lru_cache
def meanings(kind: type) -> dict[str, str]:
    """One line for each field that says something of itself; none where the source is not there."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if dataclasses.is_dataclass(each):
            found |= _said_in(each)
    return found


def _said_in(kind: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return {}
    (record,) = ast.parse(source).body
    assert isinstance(record, ast.ClassDef), "the source of a record is a class"
    comments = _comments(source)
    found = {}
    for node, behind in zip(record.body, [*record.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        said = comments.get(node.end_lineno or 0, "")
        if isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant) and isinstance(behind.value.value, str):
            said = behind.value.value
        if said:
            found[node.target.id] = " ".join(said.split())
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {each.start[0]: each.string.lstrip("# ") for each in tokens if each.type == tokenize.COMMENT}
