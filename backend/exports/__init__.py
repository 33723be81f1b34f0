"""Export and import formats, one file each, named here."""

EXPORTS: dict[str, str] = {
    "manifest": "backend.exports.manifest:ExportManifest",
    "opens2v": "backend.exports.opens2v:ExportOpenS2V",
    "webdataset": "backend.exports.webdataset:ExportWebDataset",
    "datasets": "backend.exports.datasets:ExportDatasets",
    "coco": "backend.exports.coco:ExportCoco",
    "phantom": "backend.exports.phantom:ExportPhantom",
}
