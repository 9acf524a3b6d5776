"""Exports: rows somebody may see, made into a file by a job.

Tables    exports (who had what made: kept for ever), the files themselves in storage.files
States    waiting → done | failed (model.TRANSITIONS)
Calls     the kinds that domains register; the press; storage.files
Tells     export.ended, to who asked
Jobs      export.make: reads all pages in one snapshot, prints outside the event loop, keeps the file
Promises  rows are read page by page and never all held; one snapshot, so sums under a table are those of one moment;
          whoever asks sees what the list would show him and no more; an export is finished once, however many processes
          begin it; one that kills its process three times is given up
"""

from rest.papers.exports.desk import EXPORTS, ExportDesk
from rest.papers.exports.model import ExportLimit, Filters, FilterUnknown, Kind, KindUnknown, Source, Wanted

__all__ = [
    "EXPORTS",
    "ExportDesk",
    "ExportLimit",
    "FilterUnknown",
    "Filters",
    "Kind",
    "KindUnknown",
    "Source",
    "Wanted",
]
