// What nobody has foreseen: a note that says so, instead of a page that half works.

/** From now on. `t` is the page's words: crashed_title, crashed, reload. */
export function guardPage(t) {
  const show = () => {
    const holder = document.getElementById("app");
    if (document.querySelector(".crash")) return;
    const note = document.createElement("div");
    note.className = "crash card";
    note.setAttribute("role", "alert");
    const title = note.appendChild(document.createElement("h2"));
    title.textContent = t("crashed_title");
    note.appendChild(document.createElement("p")).textContent = t("crashed");
    const button = note.appendChild(document.createElement("button"));
    button.className = "primary";
    button.textContent = t("reload");
    button.addEventListener("click", () => location.reload());
    holder.append(note);
  };
  window.addEventListener("error", show);
  window.addEventListener("unhandledrejection", show);
}
