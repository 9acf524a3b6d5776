// Colours of states, and the prepared pictures of technicians.

import { STATES } from "./world.js";

export const INK = "#0b1017";

export const COLOURS = {
  free: "#36d399",
  offered: "#ffcf56",
  locked: "#ff9d5c",
  booked: "#7d9cc4",
  on_the_way: "#3da5ff",
  in_service: "#b794ff",
  stale: "#8b97a7",
  lost: "#ff6b81",
  offline: "#4d5866",
};

export const CALL_COLOURS = {
  open: "#ffcf56",
  paused: "#8b97a7",
  locked: "#ff9d5c",
  won: "#36d399",
  done: "#36d399",
  cancelled: "#4d5866",
  expired: "#4d5866",
};

const HEADINGS = 36; // turning a picture while drawing costs five times as much as copying a turned one

/** Rows are states; column 0 is the dot of an unknown heading, then the headings clockwise from north. */
export function makeAtlas(size, scale) {
  const side = Math.ceil((size + 6) * scale);
  const hasArrows = size > 10;
  const columns = hasArrows ? HEADINGS + 1 : 1;
  const image = document.createElement("canvas");
  image.width = side * columns;
  image.height = side * STATES.length;
  const pen = image.getContext("2d");
  STATES.forEach((state, row) => {
    for (let column = 0; column < columns; column++) {
      pen.setTransform(scale, 0, 0, scale, (column + 0.5) * side, (row + 0.5) * side);
      if (column > 0) pen.rotate(((column - 1) / HEADINGS) * 2 * Math.PI);
      drawMarker(pen, state, size / 2, column > 0);
    }
  });
  const cell = (state, heading) => {
    const turns = hasArrows && heading !== null && state !== "offline";
    const column = turns ? 1 + (Math.round((heading / 360) * HEADINGS) % HEADINGS) : 0;
    return { row: STATES.indexOf(state), column };
  };
  return { image, side, cell };
}

/** An arrow where the heading is known, else a dot; hollow when lost. */
function drawMarker(pen, state, radius, isArrow) {
  pen.beginPath();
  if (isArrow) {
    pen.moveTo(0, -radius);
    pen.lineTo(radius * 0.72, radius * 0.8);
    pen.lineTo(0, radius * 0.42);
    pen.lineTo(-radius * 0.72, radius * 0.8);
    pen.closePath();
  } else {
    pen.arc(0, 0, radius * (radius > 6 ? 0.62 : 0.85), 0, 2 * Math.PI);
  }
  const isLost = state === "lost";
  pen.lineJoin = "round";
  pen.lineWidth = isLost ? 2 : 2.5;
  pen.strokeStyle = isLost ? COLOURS.lost : INK;
  pen.fillStyle = isLost ? INK : COLOURS[state];
  pen.stroke();
  pen.fill();
}
