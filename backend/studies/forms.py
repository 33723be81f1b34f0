"""The forms that studies show."""

from backend.domain import Form, ProjectError, form_from_json, resource

IDENTITY_FORM = "identity"
IDENTITY_QUESTION = "same"
"""The question of the identity form whose answer is a pair's verdict."""


def load_form(name: str) -> Form:
    """A shipped form by name. Raises ProjectError for a name that is none."""
    missing = f"form {name[:80]!r} does not exist; the shipped ones are {IDENTITY_FORM} and ab"
    if not name.replace("_", "").isalnum():
        raise ProjectError(missing)
    try:
        path = resource(f"forms/{name}.json")
    except FileNotFoundError as error:
        raise ProjectError(missing) from error
    return form_from_json(path.read_text(encoding="utf-8"), origin=name)
