"""Export and import formats, one file each, named here."""

EXPORTS: dict[str, str] = {
    "manifest": "backend.exports.manifest:ExportManifest",
    "opens2v": "backend.exports.opens2v:ExportOpenS2V",
}
