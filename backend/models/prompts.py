"""What models are asked, from `resources/prompts`: the text, the range of its answer, and a digest that enters keys."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache

from backend.domain import digest, resource


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question. `{name}` in its text stands for what the asker fills in."""

    name: str
    text: str
    lowest: int
    highest: int

    @property
    def digest(self) -> str:
        """Changes with the words and the range, and so do the values that rest on them."""
        return digest((self.text, self.lowest, self.highest), num_bytes=6)

    def filled(self, **parts: str) -> str:
        """The text with its parts put in. Raises KeyError where one is missing."""
        return self.text.format_map(parts)


@lru_cache
def prompt(name: str) -> Prompt:
    """The prompt of `resources/prompts/NAME.toml`."""
    table = tomllib.loads(resource(f"prompts/{name}.toml").read_text(encoding="utf-8"))
    return Prompt(name=name, text=table["text"].strip(), lowest=table["lowest"], highest=table["highest"])


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a model is told that answers in words. `version` rises when its meaning changes."""

    name: str
    version: int
    text: str

    @property
    def digest(self) -> str:
        """Changes with every word; stored with each answer."""
        return digest((self.version, self.text), num_bytes=6)

    def filled(self, **parts: str) -> str:
        """The text with its parts put in. Raises KeyError where one is missing."""
        return self.text.format_map(parts)


@lru_cache
def instruction(name: str) -> Instruction:
    """The instruction of `resources/prompts/NAME.toml`."""
    table = tomllib.loads(resource(f"prompts/{name}.toml").read_text(encoding="utf-8"))
    return Instruction(name=name, version=table["version"], text=table["text"].strip())


@dataclass(frozen=True, slots=True)
class LevelQuestion:
    """A question that one of five words answers, and how the answer is led in."""

    question: str
    lead: str


@lru_cache
def level_questions() -> dict[str, LevelQuestion]:
    """Questions of `resources/prompts/levels.toml` by task."""
    table = tomllib.loads(resource("prompts/levels.toml").read_text(encoding="utf-8"))
    return {task: LevelQuestion(**entry) for task, entry in table["tasks"].items()}


@lru_cache
def level_words() -> tuple[str, ...]:
    """The five words of `resources/prompts/levels.toml`, best first."""
    return tuple(tomllib.loads(resource("prompts/levels.toml").read_text(encoding="utf-8"))["words"])
