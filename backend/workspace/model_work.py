"""The part of a workspace that concerns models with weights: who holds them, what they do, and pointing things out to them."""

from dataclasses import replace
from pathlib import Path

from backend.domain.model_work import ModelEvent, ModelWorkerRow, PointPrompt, SegmentedFrame
from backend.engine.context import WorkerSettings, has_weights
from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.models.remote_role import INTERACTIVE
from backend.models.residency import GIB
from backend.recipes import worker_settings
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.segmenting import SEGMENTER, FrameSegmenter


class ModelOperations:
    """Operations of the Api for models. The service's workers start when something is asked of them."""

    settings: ProjectSettings

    def open_models(self, catalog: Catalog, artifacts: Artifacts, folder: Path) -> None:
        """To be called once, when the project is open. `folder` is that of the artifacts."""
        self.model_service = model_service(self.settings)
        self._folder = folder
        self._segmenter = FrameSegmenter(catalog, artifacts, self._interactive)

    def close_models(self) -> None:
        self._segmenter.close()
        self.model_service.close()

    def renew_models(self) -> None:
        """Lets go of what is held, and goes by the settings as they are now. Nothing may be at work."""
        before, self.model_service = self.model_service, model_service(self.settings)
        before.close()

    def models(self) -> tuple[ModelWorkerRow, ...]:
        return self.model_service.rows()

    def model_events(self, *, after: int = 0) -> tuple[ModelEvent, ...]:
        return self.model_service.events(after=after)

    def segment(
        self,
        *,
        clip_id: str,
        frame: int,
        points: tuple[PointPrompt, ...] = (),
        box: tuple[float, float, float, float] | None = None,
    ) -> SegmentedFrame:
        return self._segmenter(clip_id, frame, points=points, box=box)

    def _interactive(self) -> WorkerSettings:
        """Models with weights are asked in the service whatever the setting says: this process never loads one."""
        settings = worker_settings(self.settings, self._folder)
        if not has_weights(settings, SEGMENTER):
            return settings
        return replace(settings, service=self.model_service.address(INTERACTIVE))


def model_service(settings: ProjectSettings) -> ModelService:
    """The service as a project's settings want it."""
    workers = ModelWorkerSettings(
        device=settings.device,
        or_cpu=settings.device == "auto",
        budget_bytes=int(settings.model_memory_gib * GIB),
        cpu_allowed=settings.model_on_cpu,
    )
    return ModelService(workers, mode=settings.model_service)
