"""The local service: `Api` over HTTP for the owner of a project."""

from backend.service.network_place import NetworkPlace
from backend.service.serving import Serving, serving, token_of_file

__all__ = ["NetworkPlace", "Serving", "serving", "token_of_file"]
