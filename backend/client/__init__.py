"""The Api over HTTP, and finding or starting the service that owns a project."""

from backend.client.connect import begin, connect
from backend.client.place import ServicePlace

__all__ = ["ServicePlace", "begin", "connect"]
