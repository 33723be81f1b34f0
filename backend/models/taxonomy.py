"""The taxonomy: which words name which category, and where a text uses them as nouns.

The table is `resources/taxonomy.yaml`. The matcher works on whole words, takes the longest form, and knows plurals,
phrases in which a word means something else ("hot dog"), words that are as often verbs ("watches") or adjectives
("orange"), and nouns that merely modify the next one ("car door").
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from backend.domain import SettingsError, resource
from backend.models.taxonomy_chinese import ChineseWords, has_chinese

LEFT_WALK = 4  # words looked at before a doubtful noun; "a very old silver watch" needs 4

_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"[ \t\r\n]+|[-\u2010\u2011]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of subject, object or place. `forms` are its singular words, `role` its part in a caption."""

    id: str
    parent: str | None
    domain: str
    role: str
    living: bool
    rigid: bool
    brandable: bool
    prior: str
    """same_source, logo or none (Phantom-Data, section 3.3)."""
    stop: bool
    """Too general to tell one individual from another."""
    grounding_prompt: str
    forms: tuple[str, ...]
    excludes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A noun of the taxonomy at `text[start:stop]`; `modifier_start` is where nouns that merely modify it begin."""

    start: int
    stop: int
    modifier_start: int
    category: Category
    is_plural: bool


@dataclass(frozen=True, slots=True)
class _Form:
    category: str
    plural: bool


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The small words of the table's `grammar`, and its word lists for doubtful nouns."""

    determiners: frozenset[str]
    many: frozenset[str]
    prepositions: frozenset[str]
    noun_to: frozenset[str]
    verb_leads: frozenset[str]
    past_verbs: frozenset[str]
    often_verbs: frozenset[str]
    plural_modifiers: frozenset[str]
    function_words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Words:
    """A text's words in lower case, their spans, and what stands between each and the next."""

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    gaps: tuple[str, ...]

    def joined(self, index: int) -> bool:
        """Whether only a blank or a hyphen stands between word `index` and the next."""
        return bool(_JOINED.fullmatch(self.gaps[index]))


class Taxonomy:
    """Categories and their words, and those of `chinese` where it is given. Raises SettingsError when a table contradicts itself."""

    def __init__(self, table: Mapping[str, Any], *, origin: str, chinese: Mapping[str, Any] | None = None) -> None:
        try:
            self.version = int(table["version"])
            self.categories = _categories(table, origin)
            self._grammar = _Grammar(**{name: frozenset(words) for name, words in table["grammar"].items()})
            self._verb_shapes = _verb_shapes(table["verbs"])
            self._adjectival = frozenset(table["adjectival"])
            self._heads = frozenset(table["heads"])
            self._invariant = frozenset(table["invariant"])
            self._collective = frozenset(table["collective"])
            self.modifiers = {kind: _tokenized(words) for kind, words in table["modifiers"].items()}
            plurals = _Plurals(table["irregular_plurals"], frozenset(table["plural_only"]) | self._invariant)
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(
                f"taxonomy {origin} cannot be read: {error!r}; compare it with its opening comment"
            ) from error
        self._forms = _forms(self.categories.values(), plurals, origin)
        self._reach: dict[str, int] = {}
        for form in self._forms:
            self._reach[form[0]] = max(self._reach.get(form[0], 0), len(form))
        self._excludes: dict[tuple[str, ...], set[str]] = {}
        for category in self.categories.values():
            for phrase in category.excludes:
                self._excludes.setdefault(_words(phrase), set()).add(category.id)
        self._longest_exclude = max((len(phrase) for phrase in self._excludes), default=0)
        self._single_modifiers = {words[0] for kind in self.modifiers.values() for words in kind if len(words) == 1}
        self._chinese = None
        if chinese is not None:
            people = [category.id for category in self.categories.values() if category.domain == "human"]
            self._chinese = ChineseWords(chinese, categories=self.categories, people=people, origin=f"{origin} (Chinese)")

    @property
    def num_forms(self) -> int:
        """How many written forms it knows, plurals included."""
        return len(self._forms) + len(self.chinese_forms)

    @property
    def chinese_forms(self) -> Mapping[str, str]:
        """Chinese words and their categories."""
        return {} if self._chinese is None else self._chinese.forms

    def lookup(self, label: str) -> Category | None:
        """The category of a label that is a form as a whole (`Teddy bear`, `men`), else None."""
        found = self._forms.get(_words(label))
        category = found.category if found else self.chinese_forms.get(label.strip())
        return self.categories[category] if category else None

    def ancestors(self, category_id: str) -> tuple[str, ...]:
        """Ids from a category up to its root, itself first. Raises KeyError for an unknown id."""
        chain: list[str] = []
        current: str | None = category_id
        while current is not None:
            chain.append(current)
            current = self.categories[current].parent
        return tuple(chain)

    def find(self, text: str) -> list[Match]:
        """Every noun of the taxonomy in a text, English or Chinese or both, in order, without overlaps."""
        if self._chinese is None or not has_chinese(text):
            return self._find_english(text)
        chinese = [
            Match(
                start=noun.start,
                stop=noun.stop,
                modifier_start=noun.modifier_start,
                category=self.categories[noun.category],
                is_plural=noun.is_plural,
            )
            for noun in self._chinese.find(text)
        ]
        # Without blanks between, a Latin word and Han characters are one English word, and so no form.
        return sorted(chinese + self._find_english(text), key=lambda match: match.start)

    def _find_english(self, text: str) -> list[Match]:
        words = _split(text)
        hits: list[tuple[int, int, _Form]] = []
        taken: dict[int, _Form] = {}
        at = 0
        while at < len(words.words):
            hit = self._longest_at(words, at, taken)
            if hit is None:
                at += 1
                continue
            hits.append((at, at + hit[0], hit[1]))
            taken.update(dict.fromkeys(range(at, at + hit[0]), hit[1]))
            at += hit[0]
        return self._without_modifiers(words, hits)

    def phrase_start(self, text: str, match: Match, *, limit: int) -> int:
        """Where the noun phrase of a match begins: up to `limit` colours, sizes, materials ... stand before the noun."""
        if self._chinese is not None and has_chinese(text[match.start : match.stop]):
            return self._chinese.phrase_start(text, match.modifier_start, limit=limit)
        words = _split(text)
        at = next(index for index, span in enumerate(words.spans) if span[0] == match.modifier_start)
        for _ in range(limit):
            size = self._modifier_before(words, at)
            if size == 0:
                break
            at -= size
        return words.spans[at][0]

    def _modifier_before(self, words: _Words, at: int) -> int:
        """How many words the modifier right before word `at` takes; 0 when there is none."""
        colours = self.modifiers["colour"]
        for size in (3, 2, 1):
            first = at - size
            if first < 0 or not all(words.joined(place) for place in range(first, at)):
                continue
            if any(words.words[first:at] in kind for kind in self.modifiers.values()):
                return size
            pair = words.words[first : at + 1]  # "black and white dog": `at` is the word "white"
            if size == 2 and pair[1] == "and" and (pair[0],) in colours and (pair[2],) in colours:
                return size
        return 0

    def _longest_at(self, words: _Words, at: int, taken: Mapping[int, _Form]) -> tuple[int, _Form] | None:
        longest = self._reach.get(words.words[at], 0)
        reach = min(1, longest)
        while reach < longest and at + reach < len(words.words) and words.joined(at + reach - 1):
            reach += 1
        for num in range(reach, 0, -1):
            form = self._forms.get(words.words[at : at + num])
            if (
                form
                and not self._excluded(words, at, at + num, form.category)
                and self._is_noun(words, at, at + num, taken)
            ):
                return num, form
        return None

    def _excluded(self, words: _Words, start: int, stop: int, category: str) -> bool:
        for first in range(max(0, stop - self._longest_exclude), start + 1):
            for last in range(max(stop, first + 1), min(len(words.words), first + self._longest_exclude) + 1):
                if category in self._excludes.get(words.words[first:last], ()):
                    return True
        return False

    def _is_noun(self, words: _Words, start: int, stop: int, taken: Mapping[int, _Form]) -> bool:
        follows = words.words[stop] if stop < len(words.words) and words.gaps[stop - 1].strip() in ("", "-") else ""
        if follows and "-" in words.gaps[stop - 1]:
            return False  # "dog-friendly", "horse-drawn": a part of an adjective
        if start and words.words[start - 1] in ("non", "un", "anti"):
            return False
        if stop - start > 1:
            return True
        word = words.words[start]
        stem = self._forms[(word,)]
        if word in self._adjectival and not stem.plural and not self._stands_alone(words, start, follows):
            return False
        if follows in self._heads and not stem.plural:
            is_human = self.categories[stem.category].domain == "human"
            if not (is_human and follows in self._verb_shapes):  # "a cowboy rides"
                return False
        return word not in self._verb_shapes or self._is_led_to(words, start, follows, taken)

    def _stands_alone(self, words: _Words, at: int, follows: str) -> bool:
        before = words.words[at - 1] if at and words.joined(at - 1) else ""
        if words.words[at] in self._single_modifiers and (before == "in" or (before,) in self.modifiers["colour"]):
            return False
        if (follows,) in self._forms:
            return True  # left to the rule for neighbouring nouns
        grammar = self._grammar
        ends = grammar.function_words | grammar.determiners | grammar.prepositions | grammar.verb_leads
        return not follows or follows in ends or follows.endswith(("ing", "ed"))

    def _is_led_to(self, words: _Words, at: int, follows: str, taken: Mapping[int, _Form]) -> bool:
        """Whether what stands left of a word that may be a verb makes it a noun."""
        before = words.words[at - 1] if at and not _breaks(words.gaps[at - 1]) else ""
        if follows in self._grammar.determiners and before not in self._grammar.determiners:
            return False
        if at - 1 in taken and words.joined(at - 1):
            return (
                words.words[at] not in self._grammar.past_verbs
                and self._may_modify(taken[at - 1])
                and not self._forms[(words.words[at],)].plural
            )
        if self._after_many(before) and not self._forms[(words.words[at],)].plural:
            return False  # "bells ring"
        for place in range(at - 1, max(-1, at - 1 - LEFT_WALK), -1):
            if _breaks(words.gaps[place]):
                return True
            word = words.words[place]
            if word == "to":
                lead = words.words[place - 1] if place else ""
                return lead in self._grammar.noun_to or lead == words.words[at]  # "from branch to branch"
            if word in ("and", "or"):
                if place - 1 in taken:
                    alike = taken[place - 1].plural or words.words[at] not in self._grammar.often_verbs
                    return alike or place < at - 1  # "off the seat and waves"
                continue
            if (
                word in self._grammar.determiners
                or word in self._grammar.prepositions
                or word in self._single_modifiers
                or word.isdecimal()
            ):
                return True
            if word in self._grammar.verb_leads or place in taken:
                return False
        return True

    def _after_many(self, before: str) -> bool:
        """Whether the word before looks like a plural that is no form."""
        grammar = self._grammar
        return (
            before.endswith("s")
            and not before.endswith(("ss", "us", "is"))
            and before not in grammar.determiners
            and before not in grammar.prepositions
            and before not in grammar.function_words
            and before not in grammar.plural_modifiers
            and before not in self._single_modifiers
        )

    def _may_modify(self, form: _Form) -> bool:
        """Whether a noun can make a compound with the next ("rose garden"): not people, not a plural."""
        return not form.plural and self.categories[form.category].domain != "human"

    def _without_modifiers(self, words: _Words, hits: Sequence[tuple[int, int, _Form]]) -> list[Match]:
        """Drops nouns that modify the noun right after them ("kitchen table" is one table)."""
        matches: list[Match] = []
        first = None
        for number, (start, stop, form) in enumerate(hits):
            category = self.categories[form.category]
            first = start if first is None else first
            following = hits[number + 1] if number + 1 < len(hits) else None
            if following and following[0] == stop and words.joined(stop - 1) and not form.plural:
                modified = self.categories[following[2].category]
                if self._may_modify(form) or modified.living:  # "police officer", "mother duck", "king penguin"
                    continue
            span = words.spans
            matches.append(
                Match(
                    start=span[start][0],
                    stop=span[stop - 1][1],
                    modifier_start=span[first][0],
                    category=category,
                    is_plural=self._is_plural(words, first, stop, form, category),
                )
            )
            first = None
        return matches

    def _is_plural(self, words: _Words, start: int, stop: int, form: _Form, category: Category) -> bool:
        before = words.words[max(0, start - 3) : start]
        if category.domain == "garment" and before[-2:] == ("pair", "of"):
            return False
        said = " ".join(words.words[start:stop])
        if said in self._collective or form.plural:
            return True
        for place in range(start - 1, max(-1, start - 1 - LEFT_WALK), -1):
            word = words.words[place]
            if _breaks(words.gaps[place]) or (
                word not in self._grammar.many and not word.isdecimal() and word not in self._single_modifiers
            ):
                return False
            if word in self._grammar.many or (word.isdecimal() and int(word) > 1):
                return words.words[stop - 1] in self._invariant
        return False


@lru_cache(maxsize=1)
def load_taxonomy() -> Taxonomy:
    """The shipped taxonomy, read once."""
    tables = [
        yaml.load(resource(name).read_text("utf-8"), Loader=yaml.CSafeLoader)
        for name in ("taxonomy.yaml", "taxonomy_zh.yaml")
    ]
    return Taxonomy(tables[0], origin="taxonomy.yaml", chinese=tables[1])


class _Plurals:
    """English plurals by rule, with a table for the rest."""

    def __init__(self, irregular: Mapping[str, str], unchanged: frozenset[str]) -> None:
        self._irregular = irregular
        self._unchanged = unchanged

    def of(self, form: tuple[str, ...]) -> tuple[str, ...] | None:
        """The plural of a form, on the word before "of" ("slices of bread") or else on the last; None when it has none."""
        head = form.index("of") - 1 if "of" in form[1:] else len(form) - 1
        word = form[head]
        if word in self._unchanged:
            return None
        return (*form[:head], self._word(word), *form[head + 1 :])

    def _word(self, word: str) -> str:
        if word in self._irregular:
            return self._irregular[word]
        for ending, plural in self._irregular.items():
            if len(ending) > 3 and word.endswith(ending):  # bookshelf, werewolf
                return word.removesuffix(ending) + plural
        if word.endswith("man") and word not in ("human", "german", "caiman", "talisman"):
            return word[:-3] + "men"
        if word.endswith("child"):
            return word + "ren"
        if word.endswith(("s", "x", "z", "ch", "sh")):
            return word + "es"
        if word.endswith("y") and word[-2:-1] not in "aeiou":
            return word[:-1] + "ies"
        return word + "s"


def _categories(table: Mapping[str, Any], origin: str) -> dict[str, Category]:
    known = {"id", "named", "parent", "synonyms", "excludes", "grounding_prompt"}
    found: dict[str, Category] = {}
    for raw in table["categories"]:
        defaults = table["domains"][raw["domain"]]
        unknown = set(raw) - known - set(defaults) - {"domain"}
        if unknown:
            raise SettingsError(f"taxonomy {origin}: category {raw['id']} has the unknown field {sorted(unknown)[0]}")
        if raw["id"] in found:
            raise SettingsError(f"taxonomy {origin}: category {raw['id']} stands twice")
        plain = raw["id"].replace("_", " ")
        named = (plain,) if raw.get("named", True) else ()
        fields = {key: raw.get(key, value) for key, value in defaults.items()}
        found[raw["id"]] = Category(
            id=raw["id"],
            parent=raw.get("parent"),
            domain=raw["domain"],
            grounding_prompt=raw.get("grounding_prompt", plain),
            forms=tuple(dict.fromkeys((*named, *map(str, raw.get("synonyms", ()))))),
            excludes=tuple(map(str, raw.get("excludes", ()))),
            **fields,
        )
    for category in found.values():
        if category.parent is not None and category.parent not in found:
            raise SettingsError(f"taxonomy {origin}: category {category.id} has the unknown parent {category.parent}")
    return found


def _forms(categories: Iterable[Category], plurals: _Plurals, origin: str) -> dict[tuple[str, ...], _Form]:
    singular: dict[tuple[str, ...], _Form] = {}
    for category in categories:
        for form in category.forms:
            words = _words(form)
            other = singular.get(words)
            if other and other.category != category.id:
                raise SettingsError(f"taxonomy {origin}: {form!r} stands under both {other.category} and {category.id}")
            singular[words] = _Form(category.id, plural=False)
    every = dict(singular)
    for words, form in singular.items():
        plural = plurals.of(words)
        if plural is not None:
            every.setdefault(plural, _Form(form.category, plural=True))
    return every


def _verb_shapes(verbs: Iterable[str]) -> frozenset[str]:
    """The verbs and their third persons."""
    third_person = _Plurals({"man": "mans"}, frozenset())
    return frozenset(shape for verb in verbs for shape in (verb, *(third_person.of((verb,)) or ())))


def _split(text: str) -> _Words:
    found = list(_WORD.finditer(text))
    spans = tuple(word.span() for word in found)
    starts = [*(start for start, _ in spans), len(text)]
    gaps = tuple(text[stop : starts[index + 1]] for index, (_, stop) in enumerate(spans))
    return _Words(tuple(word.group().lower() for word in found), spans, gaps)


def _words(form: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(form))


def _tokenized(words: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(_words(word) for word in words)


def _breaks(gap: str) -> bool:
    """Whether a gap between words ends a clause."""
    return any(sign in gap for sign in '.,;:!?()\u2013\u2014"\u201c\u201d')
