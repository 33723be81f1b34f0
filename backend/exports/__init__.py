"""Export and import formats, one file each, named here."""

EXPORTS: dict[str, str] = {"manifest": "backend.exports.manifest:ExportManifest"}
