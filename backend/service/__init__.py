"""The local service: `Api` over HTTP for the owner of a project."""

from backend.service.app import make_app
from backend.service.serving import Serving, serving

__all__ = ["Serving", "make_app", "serving"]
