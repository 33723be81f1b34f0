"""What can go wrong and whom it concerns.

StudioError                 a person can mend it; the text says what failed, the value, what to do
├── MediaError              a file cannot be used as media
├── SettingsError           project.toml or a --set value is wrong
├── ProjectError            the project folder cannot be used (owned, newer, missing, full disk)
├── StoreError              stored data is damaged
├── ModelUnavailable        a role's weights or package are missing
├── ModelFailed             a model is there and broke while it was asked
├── ImportRefused           an imported file is wrong
└── ServiceError            the service cannot be reached or refused the call
"""


class StudioError(Exception):
    """A failure that a person can mend. `kind` is a stable word for states and JSON."""

    kind = "error"


class MediaError(StudioError):
    """A file cannot be used as media; `kind` says why (unreadable, truncated, no_video, ...)."""

    def __init__(self, message: str, *, kind: str = "unreadable") -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):
        return _media_error, (str(self), self.kind)


def _media_error(message: str, kind: str) -> MediaError:
    return MediaError(message, kind=kind)


class SettingsError(StudioError):
    """A setting is unknown or out of range."""

    kind = "settings"


class ProjectError(StudioError):
    """The project folder cannot be opened or used."""

    kind = "project"


class ItemErased(StudioError):
    """Something is said of what was erased. Sending it again cannot succeed, and nothing of it may be kept."""

    kind = "erased"


class StoreError(StudioError):
    """Stored data does not agree with its checksum or schema."""

    kind = "store"


class ModelUnavailable(StudioError):
    """A role cannot be served here; the text names the extra or the weights to get."""

    kind = "model_unavailable"


class ModelFailed(StudioError):
    """A model broke while it was asked; `kind` says how: out_of_memory, crash, timeout or answer (of no kind that a role gives)."""

    def __init__(self, message: str, *, kind: str = "crash") -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):
        return _model_failed, (str(self), self.kind)


def _model_failed(message: str, kind: str) -> ModelFailed:
    return ModelFailed(message, kind=kind)


class HoldingLost(StudioError):
    """What another process held died each time that it was asked."""

    kind = "crash"


class ImportRefused(StudioError):
    """An imported file is malformed; the text names file, place and value."""

    kind = "import"


class ServiceError(StudioError):
    """The local service cannot be reached, or refused a call."""

    kind = "service"
