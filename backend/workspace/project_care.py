"""The part of a workspace that looks after the project: its settings, its disk space, what it keeps of people."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock
from typing import Protocol

from backend.domain import ProjectError, SettingsError
from backend.domain.doctor import Doctor
from backend.domain.model_work import ModelWorkerRow
from backend.domain.project_care import PrivacyFacts, SettingsForecast, SettingsSheet, StorageCleared, StorageUse
from backend.engine.plan import Plan
from backend.jobs.board import JobBoard
from backend.models.residency import GIB
from backend.recipes import doctor_of, far_roles, plan_for, settings_schema, sheet_of
from backend.settings import ProjectSettings, drafted, nearest, write_settings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.workspace import disk_use
from backend.workspace.layout import Layout
from backend.workspace.previews import Previews
from backend.workspace.privacy import privacy_of
from backend.workspace.settings_forecast import setting_changes, stage_forecasts, work_of
from backend.workspace.snapshot import Snapshot
from backend.workspace.study_media import StudyMediaLibrary
from backend.workspace.study_shelf import StudyShelf
from backend.workspace.thumbnails import KEPT_BYTES, Thumbnails

SHOWN_TO_PARTICIPANTS = "study_copies"
CLEARED = "storage_cleared"
OF_MODELS = ("device", "model_service", "model_memory_gib", "model_on_cpu")
"""Settings that those who hold models are started with."""


class _Opened(Protocol):
    layout: Layout
    settings: ProjectSettings
    settling: RLock
    plan: Plan
    journal: Journal
    catalog: Catalog
    artifacts: Artifacts
    _jobs: JobBoard
    _previews: Previews
    _thumbnails: Thumbnails
    _study_media: StudyMediaLibrary
    _shelf: StudyShelf

    def models(self) -> tuple[ModelWorkerRow, ...]: ...

    def use(self, settings: ProjectSettings) -> None: ...

    def renew_models(self) -> None: ...

    def _apart(self, plan: Plan) -> AbstractContextManager[Snapshot]: ...

    def _clearing(self) -> dict[str, Callable[[], StorageCleared]]: ...


class ProjectCareOperations:
    """Operations of the Api on settings, storage and privacy."""

    def doctor(self: _Opened) -> Doctor:
        return dataclasses.replace(doctor_of(self.settings), models=self.models())

    def try_doctor(self: _Opened, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> Doctor:
        draft = drafted(self.settings, assignments, reset)
        plan_for(draft)
        return dataclasses.replace(doctor_of(draft), models=self.models())

    def settings_schema(self: _Opened) -> dict:
        return settings_schema(self.settings)

    def settings_sheet(self: _Opened) -> SettingsSheet:
        return sheet_of(self.settings)

    def try_settings(self: _Opened, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> SettingsForecast:
        draft = drafted(self.settings, assignments, reset)
        return _forecast(self, plan_for(draft), draft)

    def set_settings(self: _Opened, *, assignments: tuple[str, ...] = (), reset: tuple[str, ...] = ()) -> SettingsForecast:
        with self.settling:
            draft = drafted(self.settings, assignments, reset)
            found = _forecast(self, plan_for(draft), draft)
            self.use(draft)
        return found

    def use(self: _Opened, settings: ProjectSettings) -> None:
        """Takes and saves other settings. Raises SettingsError, changing nothing, when they are wrong."""
        plan, before = plan_for(settings), self.settings
        renewed = [name for name in OF_MODELS if getattr(settings, name) != getattr(before, name)]
        if renewed and self._jobs.is_busy("curate"):
            raise ProjectError(f"{renewed[0]} cannot be changed while a job runs; cancel it, or wait for its end")
        write_settings(self.layout.settings, settings)
        self.settings, self.plan = settings, plan
        if renewed:
            self.renew_models()
        if settings.preview_gib != before.preview_gib:
            self._previews.limit(round(settings.preview_gib * GIB))

    def storage(self: _Opened) -> StorageUse:
        limits = {"previews": round(self.settings.preview_gib * GIB), "thumbnails": KEPT_BYTES}
        return disk_use.storage_of(self.layout.root, clearable=tuple(self._clearing()), limits=limits)

    def clear_storage(self: _Opened, *, kinds: tuple[str, ...], rater: str = "") -> StorageCleared:
        ways = self._clearing()
        for kind in kinds:
            if kind not in (*disk_use.KINDS, disk_use.OTHER):
                raise SettingsError(f"there is no kind of file {kind[:80]!r}{nearest(kind, disk_use.KINDS)}")
            if kind not in ways:
                raise SettingsError(f"{kind} cannot be made again, so it is not cleared; {', '.join(ways)} can")
        if SHOWN_TO_PARTICIPANTS in kinds:  # said before it is done: what people saw stays known whatever happens next
            self.journal.append([Event(kind=CLEARED, actor=rater or "user", body={"kinds": sorted(set(kinds))})])
        done = [ways[kind]() for kind in dict.fromkeys(kinds)]
        return StorageCleared(
            num_bytes=sum(each.num_bytes for each in done), num_files=sum(each.num_files for each in done)
        )

    def privacy(self: _Opened) -> PrivacyFacts:
        return privacy_of(self.catalog, self._shelf, self.layout, far=far_roles(self.settings))

    def _clearing(self: _Opened) -> dict[str, Callable[[], StorageCleared]]:
        return {
            "previews": self._previews.clear,
            "thumbnails": self._thumbnails.clear,
            SHOWN_TO_PARTICIPANTS: self._study_media.clear,
        }


def _forecast(opened: _Opened, plan: Plan, draft: ProjectSettings) -> SettingsForecast:
    changes = setting_changes(opened.settings, draft)
    if not changes:
        return SettingsForecast(changes=())
    before, after = (work_of(opened._apart(each), each) for each in (opened.plan, plan))
    return SettingsForecast(changes=changes, stages=stage_forecasts(before, after))
