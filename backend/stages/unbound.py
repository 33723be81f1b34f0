"""Roles that a profile leaves open: the stage goes on and says so, instead of guessing."""

from backend.domain import Absent, Context


def role_or_absent(context: Context, name: str) -> object:
    """What is bound to a role, or Absent for an unbound one. Raises ModelUnavailable when weights are missing.

    Binding the role later changes the stage's work keys, so that what was absent is asked for then.
    """
    if context.model_id(name):
        return context.role(name)
    return Absent(f"unavailable: no {name} in this profile; name one under [roles] in project.toml")
