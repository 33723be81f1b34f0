"""Curation, storage, studies and the local service of Subject Studio."""
