"""What a user can do about the people whom footage shows and who take part in studies: a part of `Api`."""

from typing import Protocol

from backend.domain.library import Selection
from backend.domain.privacy import AuditRow, Consent, Expired


class PrivacyApi(Protocol):
    """Consent, retention and audit are read from the journal; `erase_items` and `erase_participant` erase."""

    def state_consent(
        self,
        *,
        selection: Selection,
        rater: str,
        purposes: tuple[str, ...] = (),
        version: str = "",
        scope: str = "",
        given_at: str = "",
    ) -> int:
        """Records what people in subjects, clips or videos agreed to; without purposes, that they withdrew. Gives how many items.

        What is said of a subject goes before what is said of its clip, and that before its video's. Exports leave out pairs
        of which somebody did not agree to their purpose. Raises SettingsError for an unknown purpose or kind, ProjectError
        for items that are not there.
        """
        ...

    def consents(self) -> tuple[Consent, ...]:
        """What holds now, of every item that a consent was recorded of."""
        ...

    def expired(self) -> Expired:
        """What was to be kept up to a day that has passed: the project's footage, and studies' participants."""
        ...

    def erase_expired(self, *, rater: str, delete_backups: bool = False) -> Expired:
        """Erases that, as `erase_items` and `erase_participant` do, and gives what it was. Raises as these do."""
        ...

    def audit(self, *, limit: int = 100) -> tuple[AuditRow, ...]:
        """The newest dealings with people's data, newest last: opened, exported, erased, consent, rights, excluded, cleared."""
        ...
