"""Which keys may be given to which action, and what speaks against one: other actions, verdicts of forms, editing of text."""

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtGui import QKeySequence

from backend.domain import form_from_json, resource
from studio.actions import ACTIONS, Action, canonical_key
from studio.preferences import Keys

JUDGING = frozenset({"judge", "verify"})
"""Contexts in which a form's verdicts have keys of their own."""
_EDITING = (
    QKeySequence.StandardKey.Copy,
    QKeySequence.StandardKey.Cut,
    QKeySequence.StandardKey.Paste,
    QKeySequence.StandardKey.Undo,
    QKeySequence.StandardKey.Redo,
    QKeySequence.StandardKey.SelectAll,
    QKeySequence.StandardKey.Delete,
    QKeySequence.StandardKey.Backspace,
    QKeySequence.StandardKey.DeleteStartOfWord,
    QKeySequence.StandardKey.DeleteEndOfWord,
    QKeySequence.StandardKey.MoveToNextWord,
    QKeySequence.StandardKey.MoveToPreviousWord,
    QKeySequence.StandardKey.SelectNextWord,
    QKeySequence.StandardKey.SelectPreviousWord,
    QKeySequence.StandardKey.MoveToStartOfLine,
    QKeySequence.StandardKey.MoveToEndOfLine,
)
"""What fields of text do by key everywhere."""
_MOVING = ("Tab", "Shift+Tab", "Return", "Enter", "Esc", "Menu")
"""What moves the focus, presses buttons and closes dialogs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why a key cannot be an action's. `kind`: action (`what` is its id), form, editing, moving or unknown."""

    kind: str
    what: str = ""


def keys_of(action: Action, chosen: Keys) -> tuple[str, ...]:
    """The keys that an action has: chosen ones, or the table's."""
    return chosen.get(action.id, action.keys)


def conflicts(action: Action, key: str, chosen: Keys) -> tuple[Conflict, ...]:
    """What speaks against a key for an action while the others have theirs; nothing speaks against one of its own in the table."""
    try:
        wanted = canonical_key(key)
    except ValueError:
        return (Conflict(kind="unknown", what=key),)
    found = [
        Conflict(kind="action", what=other.id)
        for other in ACTIONS
        if other.id != action.id
        and _meet(action, other)
        and wanted in (canonical_key(each) for each in keys_of(other, chosen))
    ]
    if wanted not in (canonical_key(each) for each in action.keys):
        if wanted in _MOVING:
            found.append(Conflict(kind="moving", what=wanted))
        elif wanted in editing_keys():
            found.append(Conflict(kind="editing", what=wanted))
        if JUDGING & {*action.contexts} or "window" in action.contexts:
            found += [Conflict(kind="form", what=name) for name in forms_of(wanted)]
    return tuple(found)


def sound(chosen: Keys) -> dict[str, tuple[str, ...]]:
    """The choices without those that do not hold beside the table and each other: an older file may not know today's table."""
    actions = {action.id: action for action in ACTIONS}
    kept = {
        name: keys for name, keys in chosen.items() if name in actions and keys != actions[name].keys and _are_usable(keys)
    }
    while wrong := [name for name in kept if any(conflicts(actions[name], key, kept) for key in kept[name])]:
        del kept[wrong[-1]]  # the others may hold without it
    return kept


@lru_cache
def editing_keys() -> frozenset[str]:
    """Keys of Qt's fields of text on this platform, spelled as `canonical_key` does."""
    bound = (key for standard in _EDITING for key in QKeySequence.keyBindings(standard))
    return frozenset(key.toString(QKeySequence.SequenceFormat.PortableText) for key in bound)


def forms_of(key: str) -> tuple[str, ...]:
    """Titles of the forms in which a key is a verdict. Reasons take keys only while they are open, and actions leave them to these."""
    return _form_keys().get(key, ())


@lru_cache
def _form_keys() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted(resource("forms").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json") and not file.name.endswith("_zh.json"):
            form = form_from_json(file.read_text("utf-8"), origin=file.name)
            for key in {canonical_key(choice.key) for question in form.questions for choice in question.choices}:
                found[key] = (*found.get(key, ()), form.title)
    return found


def _are_usable(keys: tuple[str, ...]) -> bool:
    """Whether there is a key, and all are Qt's and different."""
    try:
        return bool(keys) and len({canonical_key(key) for key in keys}) == len(keys)
    except ValueError:
        return False


def _meet(one: Action, other: Action) -> bool:
    """Whether both can be done at one place."""
    return "window" in (*one.contexts, *other.contexts) or bool({*one.contexts} & {*other.contexts})
