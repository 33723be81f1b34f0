"""Durable storage: the journal of what people said, the catalog of what machines found, artifacts, backups."""
