// What a browser keeps for its user. Storage may be closed to us; a page works without, as it is when it opens.

/** What is kept under this key, or null. */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keep this, or (null) nothing any more. */
export function keep(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // see above
  }
}
