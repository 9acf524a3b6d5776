// The technician of an order on a small map, as old as he is and not younger; the same in words below.

import { circleMarker, divIcon, latLngBounds, map as makeMap, marker, tileLayer } from "leaflet";

import { serverNow } from "../core/clock.js";
import { html, useEffect, useRef, useState, useTick } from "../core/ui.js";
import { formatMetres, formatSeconds } from "../core/words.js";
import { t } from "./text.js";

const STALE_S = 15;
const LOST_S = 60;

export function Trip({ floor, order }) {
  const holder = useRef(null);
  const shown = useRef(null);
  const [fix, setFix] = useState(null); // {lat, lon, at}
  const home = [order.address.lat, order.address.lon];
  useTick(1_000);
  useEffect(() => {
    shown.current = makePicture(holder.current, home);
    return () => shown.current.remove();
  }, []);
  useEffect(() => {
    return floor.watch(order.id, ({ lat, lon, at }) => setFix({ lat, lon, at: Date.parse(at) }));
  }, []);
  useEffect(() => shown.current.show(fix), [fix]);
  const age_s = fix ? (serverNow() - fix.at) / 1000 : null;
  const state = age_s === null ? "unknown" : age_s > LOST_S ? "lost" : age_s > STALE_S ? "stale" : "live";
  const way = fix ? formatMetres(shown.current.distance(fix)) : null;
  return html`<div class=${`trip is-${state}`}>
    <div ref=${holder} class="trip-map" role="img" aria-label=${t("trip_map")}></div>
    <p><span class="chip">${t(`trip_${state}`)}</span>
      ${fix ? t("trip_words", { way, age: formatSeconds(age_s) }) : t("trip_none")}</p>
  </div>`;
}

/** A map with the place of the order; `show(fix)` puts the technician on it. */
function makePicture(holder, home) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = makeMap(holder, { zoomControl: false, attributionControl: false, keyboard: false, scrollWheelZoom: false, zoomAnimation: !still, fadeAnimation: !still });
  map.setView(home, 13, { animate: false });
  const { tileUrl } = document.body.dataset;
  if (tileUrl) tileLayer(tileUrl, { className: "tiles" }).addTo(map);
  marker(home, { icon: divIcon({ className: "trip-home", iconSize: [14, 14] }), interactive: false, keyboard: false }).addTo(map);
  let worker = null;
  const fit = () => {
    const points = worker ? [home, worker.getLatLng()] : [home];
    map.fitBounds(latLngBounds(points).pad(0.35), { animate: false, maxZoom: 15 });
  };
  const observer = new ResizeObserver(() => {
    map.invalidateSize({ animate: false, pan: false });
    fit();
  });
  observer.observe(holder);
  return {
    show(fix) {
      if (!fix) return;
      const place = [fix.lat, fix.lon];
      if (worker) worker.setLatLng(place);
      else {
        worker = circleMarker(place, { radius: 8, className: "trip-worker", interactive: false }).addTo(map);
        fit();
      }
      const seen = map.getBounds().pad(-0.1);
      if (!seen.contains(place) || !seen.contains(home)) fit();
    },
    distance: (fix) => map.distance(home, [fix.lat, fix.lon]),
    remove() {
      observer.disconnect();
      map.remove();
    },
  };
}
