"""The study page: participants answer in a browser, on a port of its own, without any route of the Api."""

from backend.service.study_page.app import make_page
from backend.service.study_page.buckets import PageLimits, Rate
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.place import PagePlace
from backend.service.study_page.serving import PageServing, page_on_this_machine, serving_page

__all__ = [
    "PageKeys",
    "PageLimits",
    "PagePlace",
    "PageServing",
    "Rate",
    "make_page",
    "page_on_this_machine",
    "serving_page",
]
