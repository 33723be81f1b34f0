"""Settings of the project itself: what is made, how it is worked on, where models run."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.pages.settings_rows import Group, SettingList, SettingRows, Shown, Told
from studio.sessions.settings import SettingsSession
from studio.texts import text

GROUPS: dict[str, tuple[str, ...]] = {
    "made": ("recipe", "profile", "seed"),
    "work": ("engine", "workers", "ray_address", "ray_store"),
    "people": ("unknown_licence", "unknown_consent", "footage_may_leave", "retain_until"),
    "models": ("device", "dtype", "model_service", "model_memory_gib", "model_on_cpu"),
}
ELSEWHERE = ("preview_gib",)
"""Shown under Storage."""


class ProjectSection(QWidget):
    """Every setting of project.toml that is no table; one that is in no group comes under `further`."""

    def __init__(self, session: SettingsSession, told: Told) -> None:
        super().__init__()
        self._session = session
        self.list = SettingRows(session, told)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(SettingList(self.list))

    def show_sheet(self) -> None:
        sheet = self._session.sheet
        assert sheet is not None, "a sheet is shown once it is known"
        rows = {row.name: row for row in sheet.project if row.name not in ELSEWHERE}
        grouped = {name for names in GROUPS.values() for name in names}
        groups = {**GROUPS, "further": tuple(name for name in rows if name not in grouped)}
        self.list.show_groups(
            Group(
                text(f"settings.group_{group}"),
                tuple(Shown(rows[name], meaning=_meaning(name)) for name in names if name in rows),
                text(f"settings.group_{group}_words"),
            )
            for group, names in groups.items()
        )

    def show_draft(self) -> None:
        self.list.show_values()

    def focus_first(self) -> None:
        self.list.focus_first()

    def focused(self) -> str:
        return self.list.focused()


def _meaning(name: str) -> str:
    """What a setting of the project means, in the chosen language; empty where the service's own words must do."""
    return text(f"settings.mean_{name}") if any(name in names for names in GROUPS.values()) else ""
