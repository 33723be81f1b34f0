"""Keeps pictures and clips of the trials at hand ready: stills first, clips as soon as their previews exist."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal, SignalInstance

from backend.domain import StudioError
from studio.link import Link
from studio.prepare import Clips, Stills, find_clips, load_stills
from studio.sessions.verify import Held


class TrialLoader(QObject):
    """Loads what `keep` names and forgets the rest. Signals carry the trial's id."""

    stills_ready = Signal(str)
    clips_ready = Signal(str)
    failed = Signal(str)

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self.stills: dict[str, Stills] = {}
        self.clips: dict[str, Clips] = {}
        self._asked: set[tuple[str, str]] = set()

    def keep(self, held: Iterable[Held], *, later: Iterable[Held] = (), also: Iterable[Held] = ()) -> None:
        """Loads what is missing for the held trials, in their order, and has the clips of those after them made.

        What is there is kept, for `also` too; clips whose files were cleared away are asked for anew.
        """
        wanted, then = list(held), list(later)
        kept = {each.id for each in (*wanted, *then, *also)}
        for store in (self.stills, self.clips):
            for trial_id in set(store) - kept:
                del store[trial_id]
        for trial_id in [trial_id for trial_id, clips in self.clips.items() if not clips.are_there]:
            del self.clips[trial_id]
        for each in wanted:
            self._ask("stills", each, self.stills, load_stills, self.stills_ready)
        for each in (*wanted, *then):
            self._ask("clips", each, self.clips, find_clips, self.clips_ready)

    def _ask(self, kind: str, held: Held, store: dict, load: Callable, ready: SignalInstance) -> None:
        trial, form, key = held.trial, held.form, (kind, held.id)
        if held.id in store or key in self._asked:
            return
        self._asked.add(key)

        def done(found: object) -> None:
            self._asked.discard(key)
            store[held.id] = found
            ready.emit(held.id)

        def refused(error: StudioError) -> None:
            self._asked.discard(key)
            self.failed.emit(str(error))

        self.link.ask(lambda: load(self.link.api, trial, form), done, refused, slow=kind == "clips")
