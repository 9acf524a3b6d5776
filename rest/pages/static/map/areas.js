// Service areas: read once, drawn as vectors with their names; and which area a point is in, for counting.

import { geoJSON, Layer, Point } from "leaflet";

const LABEL_MIN_PX = 56; // a label wider than its area only hides its neighbours

/** Rings of `[lon, lat]` with their box, for point-in-area. */
function outline(feature) {
  const { type, coordinates } = feature.geometry;
  const polygons = type === "MultiPolygon" ? coordinates : type === "Polygon" ? [coordinates] : [];
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [ring] of polygons) {
    for (const [lon, lat] of ring) {
      west = Math.min(west, lon);
      east = Math.max(east, lon);
      south = Math.min(south, lat);
      north = Math.max(north, lat);
    }
  }
  return { polygons, west, south, east, north };
}

function isInRing(ring, lon, lat) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [x1, y1] = ring[i];
    const [x2, y2] = ring[j];
    if (y1 > lat !== y2 > lat && lon < ((x2 - x1) * (lat - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

function holds(area, lon, lat) {
  if (lon < area.west || lon > area.east || lat < area.south || lat > area.north) return false;
  return area.polygons.some(
    (rings) => isInRing(rings[0], lon, lat) && !rings.slice(1).some((hole) => isInRing(hole, lon, lat)),
  );
}

/** The widest spot of the largest ring along its middle: inside even where the centre of the box is not. */
function labelPoint(area) {
  let best = null;
  for (const [ring] of area.polygons) {
    for (const share of [0.5, 0.35, 0.65]) {
      const [south, north] = ring.reduce(
        ([low, high], [, lat]) => [Math.min(low, lat), Math.max(high, lat)],
        [90, -90],
      );
      const lat = south + (north - south) * share;
      const cuts = [];
      for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
        const [x1, y1] = ring[i];
        const [x2, y2] = ring[j];
        if (y1 > lat !== y2 > lat) cuts.push(((x2 - x1) * (lat - y1)) / (y2 - y1) + x1);
      }
      cuts.sort((a, b) => a - b);
      for (let i = 0; i + 1 < cuts.length; i += 2) {
        const width = cuts[i + 1] - cuts[i];
        if (!best || width > best.width * 1.15) best = { width, lat, lon: (cuts[i] + cuts[i + 1]) / 2 };
      }
    }
  }
  return best;
}

/** Areas `[{code, name, label, bounds, …}]` of a FeatureCollection with properties `code` and `name`. */
export function readAreas(collection) {
  return collection.features
    .filter((feature) => feature.geometry)
    .map((feature) => {
      const area = { code: feature.properties.code, name: feature.properties.name, feature, ...outline(feature) };
      area.label = labelPoint(area);
      area.bounds = [
        [area.south, area.west],
        [area.north, area.east],
      ];
      return area;
    })
    .filter((area) => area.label);
}

/** The code of the area a point is in, or null. */
export function areaAt(areas, lon, lat) {
  return areas.find((area) => holds(area, lon, lat))?.code ?? null;
}

/** Outlines of all areas. */
export function areasLayer(areas, pane) {
  return geoJSON(
    areas.map((area) => area.feature),
    {
      pane,
      interactive: false,
      style: { className: "area", weight: 1, color: "#41546d", fillColor: "#14202e", fillOpacity: 1, smoothFactor: 1 },
    },
  );
}

/** Names of areas as elements: text stays sharp while zooming and can be read by assistive technology. */
export const AreaLabels = Layer.extend({
  initialize(areas) {
    this.areas = areas;
    this.items = new Map();
  },

  onAdd(map) {
    this.holder = document.createElement("div");
    this.holder.className = "area-labels leaflet-zoom-hide";
    for (const area of this.areas) {
      const item = document.createElement("div");
      item.className = "area-label";
      const name = item.appendChild(document.createElement("b"));
      name.textContent = area.name;
      const counts = item.appendChild(document.createElement("span"));
      this.items.set(area.code, { item, counts });
      this.holder.append(item);
    }
    map.getPane("labels").append(this.holder);
    this.place();
  },

  onRemove() {
    this.holder.remove();
  },

  getEvents() {
    return { zoomend: this.place, viewreset: this.place };
  },

  place() {
    const map = this._map;
    for (const area of this.areas) {
      const { item } = this.items.get(area.code);
      const left = map.latLngToLayerPoint([area.label.lat, area.label.lon - area.label.width / 2]);
      const right = map.latLngToLayerPoint([area.label.lat, area.label.lon + area.label.width / 2]);
      const middle = new Point((left.x + right.x) / 2, left.y);
      item.hidden = right.x - left.x < LABEL_MIN_PX;
      item.style.transform = `translate(${Math.round(middle.x)}px, ${Math.round(middle.y)}px) translate(-50%, -50%)`;
    }
  },

  /** `textOf(code)` is the line under each name, or "". */
  setCounts(textOf) {
    for (const [code, { counts }] of this.items) {
      const text = textOf(code);
      if (counts.textContent !== text) counts.textContent = text;
    }
  },
});
