"""Whether systems are compared like with like: what their videos' settings are, and where these differ."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from backend.domain.generation_settings import GenerationSettings
from backend.domain.ranking import SystemSettings

TOLD = 4  # values of one setting that are named in a sentence


def system_settings(said: Iterable[tuple[str, GenerationSettings]]) -> tuple[SystemSettings, ...]:
    """Of each system what its videos' settings say, by name."""
    by_system: dict[str, list[GenerationSettings]] = defaultdict(list)
    for system, settings in said:
        by_system[system].append(settings)
    return tuple(_summary(system, found) for system, found in sorted(by_system.items()))


def unlike(settings: Sequence[SystemSettings]) -> tuple[str, ...]:
    """Sentences on what differs between systems, or within one, and moves scores whatever a system can do."""
    found = []
    for title, values_of, why in COMPARED:
        told = {one.system: values_of(one) for one in settings if values_of(one)}
        if len(set(told.values())) > 1:
            each = "; ".join(f"{system} {_listed(values)}" for system, values in told.items())
            found.append(f"{title} differ between systems ({each}): {why}")
        elif any(len(values) > 1 for values in told.values()):
            found.append(f"{title} differ among the videos of each system ({_listed(next(iter(told.values())))}): {why}")
    return tuple(found)


COMPARED: tuple[tuple[str, Callable[[SystemSettings], tuple[str, ...]], str], ...] = (
    ("sizes", lambda one: one.sizes, "sharpness, faces and motion in pixels do not compare like with like"),
    ("numbers of frames", lambda one: one.frames, "longer videos have more time to drift, and to move"),
    ("frame rates", lambda one: one.rates, "motion between frames does not compare like with like"),
    ("watermarks", lambda one: one.watermarks, "a label is part of the picture that is scored"),
)
"""What is compared, where it stands, and what it does to scores."""


def _summary(system: str, found: Sequence[GenerationSettings]) -> SystemSettings:
    hours = [one.gpu_hours for one in found if one.gpu_hours is not None]
    energy = [one.energy_wh for one in found if one.energy_wh is not None]
    return SystemSettings(
        system=system,
        videos=len(found),
        told=sum(bool(one.told_by) for one in found),
        models=_distinct(found, lambda one: one.model),
        sizes=_distinct(found, lambda one: f"{one.width}x{one.height}" if one.width and one.height else ""),
        frames=_distinct(found, lambda one: str(one.frames or "")),
        rates=_distinct(found, lambda one: f"{one.fps:g}" if one.fps else ""),
        steps=_distinct(found, lambda one: f"{one.steps} {one.sampler}".strip() if one.steps else ""),
        guidance=_distinct(found, lambda one: one.guidance),
        watermarks=_distinct(found, lambda one: one.watermark),
        hardware=_distinct(found, lambda one: one.hardware),
        gpu_hours=sum(hours) if hours else None,
        energy_wh=sum(energy) if energy else None,
        energy_by=_distinct([one for one in found if one.energy_wh is not None], lambda one: one.energy_by),
    )


def _distinct(found: Sequence[GenerationSettings], value: Callable[[GenerationSettings], str]) -> tuple[str, ...]:
    values: Mapping[str, None] = dict.fromkeys(value(one) for one in found)
    return tuple(sorted(filter(None, values), key=lambda text: (len(text), text)))


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - TOLD} more" if len(values) > TOLD else ""
    return ", ".join(values[:TOLD]) + more
