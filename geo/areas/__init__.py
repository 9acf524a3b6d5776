"""Service areas: where work is offered.

Owns      the polygons work is offered in, by region code (370602) or by a name of one's own
Tables    areas
Tells     areas.changed (ops)
Promises  polygons are valid WGS-84; a file is imported whole or not at all, with every bad feature named;
          `AreaIndex.code_at` answers as a scan over all polygons would, inner areas first, then the lowest code
Source    HS-038, HS-039, HS-043
"""

from geo.areas.actions import (
    AreaNotFound,
    ImportReport,
    areas_revision,
    import_areas,
    list_areas,
    load_areas,
    load_index,
    remove_area,
)
from geo.areas.cells import AreaIndex
from geo.areas.export import areas_geojson
from geo.areas.facts import AreasChanged
from geo.areas.importer import AreaFileInvalid, parse_areas
from geo.areas.model import Area, Parsed, RegionCodeInvalid, Repair, normalize_code
from geo.areas.store import AreaSummary

__all__ = [
    "Area",
    "AreaFileInvalid",
    "AreaIndex",
    "AreaNotFound",
    "AreaSummary",
    "AreasChanged",
    "ImportReport",
    "Parsed",
    "RegionCodeInvalid",
    "Repair",
    "areas_geojson",
    "areas_revision",
    "import_areas",
    "list_areas",
    "load_areas",
    "load_index",
    "normalize_code",
    "parse_areas",
    "remove_area",
]
