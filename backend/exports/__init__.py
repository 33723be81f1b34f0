"""Export and import formats, one file each, named here."""

EXPORTS: dict[str, str] = {}
