"""`--where`: a boolean expression over the columns of `export_ready`, as SQL and as a Python predicate.

    category in ('dog', 'cat') and similarity >= .8 and not (status = 'machine' or licence is null)

Grammar (keywords in any case):
    either    = both { OR both }
    both      = negated { AND negated }
    negated   = NOT negated | "(" either ")" | condition
    condition = operand [ = | == | != | <> | < | <= | > | >= ] operand
              | operand [NOT] IN "(" literal { "," literal } ")"
              | operand IS [NOT] NULL
              | operand [NOT] CONTAINS text
              | column of type bool
Comparing with a missing value is neither true nor false, as in SQL; a row is taken when the whole is true.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from backend.domain import SettingsError

Value = str | float | int | bool
MAX_DEPTH = 60
"""Deeper parentheses are refused: the parser and DuckDB's own are recursive."""
MAX_CHARS = 20_000
EXACT_INT = 2**53
"""Larger integers are not exact in DuckDB's comparison with a double."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that an expression may name. `type` is text, number or bool."""

    type: str
    meaning: str


EXPORT_COLUMNS: dict[str, Column] = {
    "pair_id": Column("text", "id of the pair"),
    "kind": Column("text", "in_pair, cross_frame, cross_video or generated"),
    "status": Column("text", "machine, one, agreed, disputed or adjudicated: how far people have judged it"),
    "verdict": Column("text", "same, different, near_duplicate or unsure; null while nobody has judged it"),
    "num_votes": Column("number", "how many people have judged it"),
    "other_context": Column(
        "text", "yes, no or unsure: whether people who say same see another context; null without a word"
    ),
    "accepted": Column("bool", "whether the recipe's gates accept it"),
    "category": Column("text", "taxonomy id of the target"),
    "phrase": Column("text", "noun phrase of the target"),
    "is_living": Column("bool", "whether the target lives"),
    "similarity": Column(
        "number", "likeness of the two sides: of their faces where these decide, else of their appearance"
    ),
    "diversity": Column("number", "how unlike the two backgrounds are"),
    "target_video_id": Column("text", "id of the target's video"),
    "reference_video_id": Column("text", "id of the reference's video"),
    "target_clip_id": Column("text", "id of the target's clip"),
    "reference_clip_id": Column("text", "id of the reference's clip"),
    "target_uri": Column("text", "file of the target's video"),
    "reference_uri": Column("text", "file of the reference's video or picture"),
    "target_time_s": Column("number", "time of the target's frame"),
    "reference_time_s": Column("number", "time of the reference's frame"),
    "caption": Column("text", "caption of the target's clip"),
    "licence": Column("text", "licence of the target's source"),
    "reference_licence": Column("text", "licence of the reference's source"),
    "consent": Column("text", "consent noted for the target's source"),
}
"""Columns of the view `export_ready`; a test of the store holds the view to them."""


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed expression. `sql` has a `?` for each of `parameters`; an empty expression takes every row."""

    sql: str
    parameters: tuple[Value, ...]
    _evaluate: Callable[[Mapping[str, Any]], bool | None]

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row (by column name, None for NULL) is taken; agrees with the SQL. Raises KeyError."""
        return self._evaluate(row) is True


def parse_where(text: str, columns: Mapping[str, Column] = EXPORT_COLUMNS) -> Where:
    """Reads an expression. Raises SettingsError with the column of the text where it goes wrong."""
    if len(text) > MAX_CHARS:
        raise SettingsError(f"--where has {len(text)} characters, at most {MAX_CHARS} are read")
    if not text.strip():
        return Where("TRUE", (), lambda row: True)
    parser = _Parser(_tokens(text), columns)
    node = parser.either(0)
    parser.finish()
    return Where(node.sql, node.parameters, node.evaluate)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """word, text, number, sign or end."""
    raw: str
    value: Value
    at: int


@dataclass(frozen=True, slots=True)
class _Node:
    sql: str
    parameters: tuple[Value, ...]
    evaluate: Callable[[Mapping[str, Any]], bool | None]


@dataclass(frozen=True, slots=True)
class _Operand:
    sql: str
    parameters: tuple[Value, ...]
    type: str
    read: Callable[[Mapping[str, Any]], Any]
    token: _Token
    is_column: bool


_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")"""
    r"|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign><=|>=|<>|!=|==|[=<>(),])"
)
_KEYWORDS = frozenset(("and", "or", "not", "in", "is", "null", "true", "false", "contains"))
_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "=": ("=", operator.eq),
    "==": ("=", operator.eq),
    "!=": ("<>", operator.ne),
    "<>": ("<>", operator.ne),
    "<": ("<", operator.lt),
    "<=": ("<=", operator.le),
    ">": (">", operator.gt),
    ">=": (">=", operator.ge),
}


def _fail(at: int, message: str) -> NoReturn:
    raise SettingsError(f"--where, column {at + 1}: {message}")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(text, at)
        if not found:
            if text[at] in "'\"":
                _fail(at, f"this quote is not closed: {text[at : at + 20]}")
            _fail(at, f"{text[at : at + 12].split()[0]!r} is not understood")
        tokens.append(_Token(found.lastgroup or "", found[0], _value(found, at), at))
        at = found.end()
    return [*tokens, _Token("end", "the end", "", len(text))]


def _value(found: re.Match[str], at: int) -> Value:
    raw = found[0]
    match found.lastgroup:
        case "text":
            return raw[1:-1].replace(raw[0] * 2, raw[0])
        case "number":
            number = float(raw)
            if math.isinf(number):
                _fail(at, f"{raw} is too large")
            if abs(number) > EXACT_INT and number.is_integer() and "e" not in raw.lower():
                _fail(at, f"{raw} is too large to compare exactly")
            return number
    return raw


class _Parser:
    """Recursive descent; each method reads one rule of the grammar above."""

    def __init__(self, tokens: Sequence[_Token], columns: Mapping[str, Column]) -> None:
        self._tokens = tokens
        self._columns = columns
        self._at = 0

    def either(self, depth: int) -> _Node:
        node = self.both(depth)
        while self._take("or"):
            node = _joined("OR", node, self.both(depth))
        return node

    def both(self, depth: int) -> _Node:
        node = self.negated(depth)
        while self._take("and"):
            node = _joined("AND", node, self.negated(depth))
        return node

    def negated(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            _fail(self._next.at, f"more than {MAX_DEPTH} levels of parentheses and not")
        if self._take("not"):
            return _negated(self.negated(depth + 1))
        if self._take("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        return self.condition()

    def condition(self) -> _Node:
        left = self._operand()
        token = self._next
        if token.kind == "sign" and token.raw in _COMPARISONS:
            self._at += 1
            return _comparison(left, token, self._operand())
        if self._take("is"):
            return self._is_null(left)
        refused = self._take("not")
        if self._take("in"):
            node = self._in(left)
        elif self._take("contains"):
            node = _contains(left, self._operand())
        elif refused:
            _fail(token.at, "after not comes in or contains")
        elif left.type == "bool" and left.is_column:
            node = _Node(left.sql, (), left.read)
        else:
            _fail(token.at, f"after {left.token.raw} comes a comparison such as = or >=, not {token.raw}")
        return _negated(node) if refused else node

    def finish(self) -> None:
        if self._next.kind != "end":
            _fail(self._next.at, f"and or or is missing before {self._next.raw}")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, raw: str) -> bool:
        token = self._next
        found = token.kind in ("word", "sign") and token.raw.lower() == raw
        self._at += found
        return found

    def _expect(self, raw: str) -> None:
        if not self._take(raw):
            _fail(self._next.at, f"{raw} is missing before {self._next.raw}")

    def _is_null(self, left: _Operand) -> _Node:
        refused = self._take("not")
        self._expect("null")
        sql = f"{left.sql} IS {'NOT ' if refused else ''}NULL"
        return _Node(sql, left.parameters, lambda row: (left.read(row) is None) != refused)

    def _in(self, left: _Operand) -> _Node:
        self._expect("(")
        choices = [self._literal_of(left)]
        while self._take(","):
            choices.append(self._literal_of(left))
        self._expect(")")
        values = tuple(choice.token.value for choice in choices)

        def evaluate(row: Mapping[str, Any]) -> bool | None:
            value = left.read(row)
            return None if value is None else value in values

        marks = ", ".join("?" for _ in values)
        return _Node(f"{left.sql} IN ({marks})", (*left.parameters, *values), evaluate)

    def _literal_of(self, left: _Operand) -> _Operand:
        operand = self._operand()
        if operand.is_column:
            _fail(operand.token.at, f"in (...) lists values; write text in quotes: '{operand.token.raw}'")
        _same_type(left, operand)
        return operand

    def _operand(self) -> _Operand:
        token = self._next
        self._at += 1
        match token.kind:
            case "text" | "number":
                return _literal(token, "text" if token.kind == "text" else "number", token.value)
            case "word" if token.raw.lower() in ("true", "false"):
                return _literal(token, "bool", token.raw.lower() == "true")
            case "word" if token.raw.lower() == "null":
                _fail(token.at, "nothing equals null; write 'is null' or 'is not null'")
            case "word" if token.raw.lower() not in _KEYWORDS:
                return self._column(token)
        _fail(token.at, f"a column or a value is missing before {token.raw}")

    def _column(self, token: _Token) -> _Operand:
        name = token.raw
        if name not in self._columns:
            near = get_close_matches(name.lower(), self._columns, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"columns are {', '.join(self._columns)}"
            _fail(token.at, f"unknown column {name}; {hint} (text stands in quotes)")
        return _Operand(f'"{name}"', (), self._columns[name].type, lambda row: row[name], token, True)


def _literal(token: _Token, kind: str, value: Value) -> _Operand:
    token = _Token(token.kind, token.raw, value, token.at)
    return _Operand("?", (value,), kind, lambda row: value, token, False)


def _same_type(left: _Operand, right: _Operand) -> None:
    if left.type != right.type:
        hint = "; write it in quotes" if left.type == "text" and not right.is_column else ""
        _fail(right.token.at, f"{left.token.raw} is of type {left.type}, {right.token.raw} is of type {right.type}{hint}")


def _comparison(left: _Operand, sign: _Token, right: _Operand) -> _Node:
    _same_type(left, right)
    if not (left.is_column or right.is_column):
        _fail(sign.at, "one side of a comparison must be a column")
    sql_sign, compare = _COMPARISONS[sign.raw]
    if left.type == "bool" and sql_sign not in ("=", "<>"):
        _fail(sign.at, f"true and false have no order; use = or != with {left.token.raw}")

    def evaluate(row: Mapping[str, Any]) -> bool | None:
        one, other = left.read(row), right.read(row)
        return None if one is None or other is None else compare(one, other)

    return _Node(f"{left.sql} {sql_sign} {right.sql}", (*left.parameters, *right.parameters), evaluate)


def _contains(left: _Operand, right: _Operand) -> _Node:
    for side in (left, right):
        if side.type != "text":
            _fail(side.token.at, f"contains asks for text, {side.token.raw} is of type {side.type}")

    def evaluate(row: Mapping[str, Any]) -> bool | None:
        one, other = left.read(row), right.read(row)
        return None if one is None or other is None else other in one

    return _Node(f"contains({left.sql}, {right.sql})", (*left.parameters, *right.parameters), evaluate)


def _negated(node: _Node) -> _Node:
    def evaluate(row: Mapping[str, Any]) -> bool | None:
        value = node.evaluate(row)
        return None if value is None else not value

    return _Node(f"NOT ({node.sql})", node.parameters, evaluate)


def _joined(word: str, left: _Node, right: _Node) -> _Node:
    """Kleene's AND and OR: the deciding value wins over an unknown one."""
    decides = word == "OR"

    def evaluate(row: Mapping[str, Any]) -> bool | None:
        one = left.evaluate(row)
        if one is decides:
            return decides
        other = right.evaluate(row)
        if other is decides:
            return decides
        return None if one is None or other is None else not decides

    return _Node(f"({left.sql} {word} {right.sql})", (*left.parameters, *right.parameters), evaluate)
