"""The pages of the window, in the order of the list at its left: docs/studio.md says how to add one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """A page: `place` is `module:Class` of a `studio.pages.page.Page`, `icon` a drawing, `key` what opens it, and `also` too. Its title is the text `pages.NAME`."""

    place: str
    icon: str
    key: str
    also: tuple[str, ...] = ()


PAGES: dict[str, PageEntry] = {
    "library": PageEntry(place="studio.pages.library:LibraryPage", icon="library", key="Alt+1"),
    "verify": PageEntry(place="studio.pages.verify:VerifyPage", icon="verify", key="Alt+2"),
    "compare": PageEntry(place="studio.pages.compare:ComparePage", icon="compare", key="Alt+3"),
    "thresholds": PageEntry(place="studio.pages.thresholds:ThresholdsPage", icon="thresholds", key="Alt+4"),
    "results": PageEntry(place="studio.pages.results:ResultsPage", icon="results", key="Alt+5"),
    "embeddings": PageEntry(place="studio.pages.embeddings:EmbeddingsPage", icon="embeddings", key="Alt+6"),
    "jobs": PageEntry(place="studio.pages.jobs:JobsPage", icon="jobs", key="Alt+7"),
    "studies": PageEntry(place="studio.pages.studies:StudiesPage", icon="studies", key="Alt+8"),
    "settings": PageEntry(place="studio.pages.settings:SettingsPage", icon="settings", key="Alt+9", also=("Ctrl+,",)),
}
