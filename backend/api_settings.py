"""What a user can do with a project's settings, its disk space and what it keeps of people: a part of `Api`."""

from typing import Protocol

from backend.domain.doctor import Doctor
from backend.domain.project_care import PrivacyFacts, SettingsForecast, SettingsSheet, StorageCleared, StorageUse


class SettingsApi(Protocol):
    """Operations on settings. Assignments are written as for `--set`: `stages.split_shots.max_s=30`, `roles.Detector=paper`;
    `reset` names settings that go back to the recipe's defaults, before the assignments. A draft is taken whole or not at all."""

    def doctor(self) -> Doctor: ...

    def try_doctor(self, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> Doctor:
        """Doctor for a draft of settings. Raises SettingsError where one is wrong."""
        ...

    def settings_schema(self) -> dict:
        """JSON Schema of project.toml with current values as defaults."""
        ...

    def settings_sheet(self) -> SettingsSheet:
        """Every setting with its value, the recipe's default and its meaning."""
        ...

    def try_settings(self, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> SettingsForecast:
        """What a draft changes, and which stages would have to run again; saves nothing and runs no model.

        Raises SettingsError where a setting is unknown, wrong, or does not go with the others.
        """
        ...

    def set_settings(self, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> SettingsForecast:
        """Saves a draft in project.toml, all of it; gives what `try_settings` says of it.

        Raises SettingsError as that does, and ProjectError when models are to run otherwise while a job uses them.
        """
        ...

    def storage(self) -> StorageUse:
        """What the project takes on the disk, by kind; reads sizes alone."""
        ...

    def clear_storage(self, *, kinds: tuple[str, ...], rater: str = "") -> StorageCleared:
        """Deletes what is made again when it is asked for. Clearing what participants are shown is an event of the journal.

        Raises SettingsError for a kind that cannot be made again, or that there is not.
        """
        ...

    def privacy(self) -> PrivacyFacts:
        """What the project keeps of people, and which roles send anything to other machines."""
        ...
