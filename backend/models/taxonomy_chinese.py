"""Where a Chinese text names things: the longest known word at each place, by a table of words (no spaces to go by)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from backend.domain import SettingsError

MANY = "们"  # after people it says that there are several
OF = "的"
MOST_MODIFIERS = 4  # looked past for a numeral: "三只可爱的小白狗" needs 3


class ChineseNoun(NamedTuple):
    """A known word at `text[start:stop]`; `modifier_start` is where nouns that merely modify it begin."""

    start: int
    stop: int
    modifier_start: int
    category: str
    is_plural: bool


class ChineseWords:
    """The words of a table such as `resources/taxonomy_zh.yaml`.

    Raises SettingsError for a category that is unknown or a word that stands twice. `people` are the categories whose
    words modify no other noun.
    """

    def __init__(
        self, table: Mapping[str, Any], *, categories: Collection[str], people: Collection[str], origin: str
    ) -> None:
        try:
            self.forms = _forms(table["forms"], categories, origin)
            known: dict[str, str | None] = dict.fromkeys(table["others"])
            self._heads, self._before, self._after = (frozenset(table[name]) for name in ("heads", "before", "after"))
            self._modifiers = _by_last(word for words in table["modifiers"].values() for word in words)
            self._many, self._collective = tuple(table["many"]), frozenset(table["collective"])
            self._measures = frozenset(table["measures"])
        except (KeyError, TypeError) as error:
            raise SettingsError(f"table {origin} cannot be read: {error!r}; compare it with its opening comment") from error
        both = known.keys() & self.forms.keys()
        if both:
            raise SettingsError(f"table {origin}: {min(both)} stands under forms and under others")
        self._words: dict[str, str | None] = known | self.forms
        self._lengths = _lengths(self._words)
        self._people = frozenset(people)

    def find(self, text: str) -> list[ChineseNoun]:
        """Every noun of the table in a text, in order, without overlaps."""
        words = self._split(text)
        nouns = [word for number, word in enumerate(words) if self._is_noun(text, words, number)]
        return list(self._without_modifiers(text, nouns))

    def phrase_start(self, text: str, start: int, *, limit: int) -> int:
        """Where the phrase of a noun at `start` begins: up to `limit` colours, sizes, materials ... stand before it."""
        for _ in range(limit):
            stop = start - 1 if text[start - 1 : start] == OF else start
            size = self._modifier_before(text, stop)
            if size == 0:
                break
            start = stop - size
        return start

    def _split(self, text: str) -> list["_Word"]:
        """The longest known word at each place; what is unknown is passed over sign by sign."""
        found: list[_Word] = []
        at = 0
        while at < len(text):
            size = next((n for n in self._lengths.get(text[at], ()) if text[at : at + n] in self._words), 0)
            if size:
                found.append(_Word(at, at + size, self._words[text[at : at + size]]))
            at += max(1, size)
        return found

    def _is_noun(self, text: str, words: list["_Word"], number: int) -> bool:
        word = words[number]
        if word.category is None:
            return False
        following = text[word.stop : word.stop + 1]
        beside = number + 1 < len(words) and words[number + 1].start == word.stop
        if following in self._heads and not beside and word.category not in self._people:
            return False  # a dog's house, a car's wheel
        if word.stop - word.start > 1:
            return True
        preceded = number > 0 and words[number - 1].stop == word.start and _is_long(words[number - 1])
        followed = beside and _is_long(words[number + 1])
        return (preceded or _opens(text, word.start, self._before)) and (
            followed or not following or not _is_han(following) or following in self._after or following == MANY
        )

    def _without_modifiers(self, text: str, nouns: list["_Word"]) -> Iterable[ChineseNoun]:
        """Drops nouns that modify the noun right after them (a park bench is one bench)."""
        first = None
        for number, noun in enumerate(nouns):
            first = noun.start if first is None else first
            following = nouns[number + 1] if number + 1 < len(nouns) else None
            if following is not None and following.start == noun.stop:
                is_person, next_is_person = (word.category in self._people for word in (noun, following))
                if not is_person or next_is_person:
                    continue
            assert noun.category is not None, "only nouns come here"
            many = text.startswith(MANY, noun.stop)
            stop = noun.stop + len(MANY) * many
            several = many or text[noun.start : noun.stop] in self._collective or self._counted(text, first)
            yield ChineseNoun(noun.start, stop, first, noun.category, several)
            first = None

    def _counted(self, text: str, start: int) -> bool:
        """Whether a numeral before a noun says that there are several."""
        before = text[: self.phrase_start(text, start, limit=MOST_MODIFIERS)]
        unmeasured = before[:-1] if before[-1:] in self._measures else before
        return before.endswith(self._many) or unmeasured.endswith(self._many)

    def _modifier_before(self, text: str, stop: int) -> int:
        """How many signs the longest modifier that ends at `stop` takes; 0 when there is none."""
        words = self._modifiers.get(text[stop - 1 : stop], ())
        return next((len(word) for word in words if text.endswith(word, 0, stop)), 0)


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    stop: int
    category: str | None


def has_chinese(text: str) -> bool:
    """Whether any sign of a text is a Han character."""
    return any(_is_han(sign) for sign in text)


def _is_han(sign: str) -> bool:
    return "\u4e00" <= sign <= "\u9fff"


def _is_long(word: _Word) -> bool:
    return word.stop - word.start > 1


def _opens(text: str, start: int, before: frozenset[str]) -> bool:
    """Whether a word of one character may begin here: at the text's start, after no character or after a known one."""
    return start == 0 or not _is_han(text[start - 1]) or text[start - 1] in before


def _forms(table: Mapping[str, Iterable[str]], categories: Collection[str], origin: str) -> dict[str, str]:
    forms: dict[str, str] = {}
    for category, words in table.items():
        if category not in categories:
            raise SettingsError(f"table {origin} has forms of {category}, which is no category")
        for word in words:
            if forms.setdefault(word, category) != category:
                raise SettingsError(f"table {origin}: {word} stands under both {forms[word]} and {category}")
    return forms


def _lengths(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The lengths of the words that begin with a sign, longest first."""
    found: dict[str, set[int]] = {}
    for word in words:
        found.setdefault(word[0], set()).add(len(word))
    return {sign: tuple(sorted(lengths, reverse=True)) for sign, lengths in found.items()}


def _by_last(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The words that end with a sign, longest first."""
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(word[-1], []).append(word)
    return {sign: tuple(sorted(ending, key=len, reverse=True)) for sign, ending in found.items()}
