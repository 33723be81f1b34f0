"""What doctor shows of a project: its roles, and where their weights lie."""

from backend.domain import ModelUnavailable
from backend.domain.doctor import Doctor, RoleRow
from backend.domain.project_care import FarRole
from backend.engine.context import load
from backend.models import MODELS
from backend.models.outgoing import origin_of
from backend.models.places import REMOTE, model_id_of, place_of
from backend.recipes.binding import bindings, plan_for
from backend.settings import ProjectSettings


def doctor_of(settings: ProjectSettings) -> Doctor:
    """Each role of the profile: whether it is bound, and whether its weights are there."""
    bound, asked_by = bindings(settings), _asked_by(settings)
    rows = {}
    for role in MODELS:
        name = settings.roles.get(role, settings.profile)
        if role not in bound:
            names = " | ".join(MODELS[role])
            reason = f"not bound by profile {settings.profile}; roles.{role} = {names} in project.toml binds it"
            rows[role] = RoleRow(
                role=role,
                implementation="",
                model_id="",
                available=False,
                reason=reason,
                choices=tuple(MODELS[role]),
                location=settings.models.get(role, ""),
                asked_by=asked_by.get(role, ()),
            )
            continue
        implementation = load(bound[role])
        place = place_of(role, implementation, settings.models, footage_may_leave=settings.footage_may_leave)
        reason = ""
        try:
            if place is None:
                implementation()
            elif place.location.startswith(REMOTE):
                place.require_sending()
            else:
                place.path()
        except ModelUnavailable as error:
            reason = str(error)
        rows[role] = RoleRow(
            role=role,
            implementation=name,
            model_id=model_id_of(role, implementation, settings.models),
            available=not reason,
            reason=reason,
            licence=getattr(implementation, "licence", "Apache-2.0"),
            num_bytes=place.weight_bytes() if place is not None and place.is_held else 0,
            published_bytes=round(getattr(implementation, "published_gb", 0.0) * 1e9),
            choices=tuple(MODELS[role]),
            takes_weights=place is not None,
            location=settings.models.get(role, ""),
            suggested=place.suggested if place is not None else "",
            asked_by=asked_by.get(role, ()),
        )
    return Doctor(roles=rows, missing=tuple(role for role, row in rows.items() if row.implementation and not row.available))


def far_roles(settings: ProjectSettings) -> tuple[FarRole, ...]:
    """Roles whose bound implementation asks an endpoint; a place that names none asks nobody."""
    asked_by = _asked_by(settings)
    found = []
    for role, path in bindings(settings).items():
        place = place_of(role, load(path), settings.models)
        if place is None or not place.location.startswith(REMOTE):
            continue
        try:
            model, url = place.endpoint()
        except ModelUnavailable:
            continue
        near = origin_of(url).is_loopback
        found.append(FarRole(role=role, model=model, url=url, on_this_machine=near, asked_by=asked_by.get(role, ())))
    return tuple(found)


def _asked_by(settings: ProjectSettings) -> dict[str, tuple[str, ...]]:
    """Stages of the plan by the role that they ask."""
    found: dict[str, tuple[str, ...]] = {}
    for step in plan_for(settings).steps:
        for role in step.stage.roles:
            found[role] = (*found.get(role, ()), step.stage.name)
    return found
