"""What a project keeps of people, counted."""

from backend.domain.project_care import FarRole, PrivacyFacts
from backend.store.backups import MANIFEST
from backend.store.catalog import Catalog
from backend.store.schema import SOURCE_NOW
from backend.workspace.layout import Layout
from backend.workspace.study_shelf import StudyShelf

FACE_SPACE = "face"


def privacy_of(catalog: Catalog, shelf: StudyShelf, layout: Layout, *, far: tuple[FarRole, ...]) -> PrivacyFacts:
    """Of people who judge, of participants, and of those whom the footage shows."""
    shelf.projection.refresh()
    books = shelf.books()
    of_studies = [book.id for book in books]
    ((raters, verdicts, votes),) = catalog.query(
        """SELECT count(DISTINCT rater) FILTER (NOT study), count(DISTINCT id) FILTER (NOT study),
        count(DISTINCT id) FILTER (study)
        FROM (SELECT *, study_id IN (SELECT unnest(?::VARCHAR[])) AS study FROM vote WHERE rater_kind = 'person')""",
        [of_studies],
    )
    ((sources, unstated),) = catalog.query(
        f"SELECT count(DISTINCT uri), count(DISTINCT uri) FILTER (coalesce(licence, '') = '') FROM ({SOURCE_NOW})"
    )
    ((subjects,),) = catalog.query("SELECT count(DISTINCT id) FROM subject")
    ((faces,),) = catalog.query("SELECT count(DISTINCT id) FROM embedding WHERE space = ?", [FACE_SPACE])
    return PrivacyFacts(
        raters=raters,
        verdicts=verdicts,
        studies=len(books),
        participants=sum(len(book.enrolled) for book in books),
        participants_votes=votes,
        erased=sum(book.erased for book in books),
        addresses_hashed=layout.study_key.exists(),
        sources=sources,
        without_licence=unstated,
        subjects=subjects,
        faces=faces,
        backups=sum(1 for path in layout.backups.glob(f"*/{MANIFEST}") if path.is_file()),
        far=far,
    )
