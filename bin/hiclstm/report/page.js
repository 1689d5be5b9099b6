"use strict";
// Sorting: a button in each column's head; numbers by value, words by the reader's alphabet, empty cells last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const keyed = [...body.rows].map(row => {
        const cell = row.cells[column];
        const text = cell.dataset.value ?? cell.textContent.trim();
        return {row, text, number: Number(text.replaceAll(",", ""))};
      });
      keyed.sort((a, b) => {
        if (!a.text || !b.text) return (a.text ? 0 : 1) - (b.text ? 0 : 1);
        const order = Number.isNaN(a.number) || Number.isNaN(b.number)
          ? a.text.localeCompare(b.text, undefined, {numeric: true}) : a.number - b.number;
        return down ? -order : order;
      });
      body.append(...keyed.map(entry => entry.row));
    });
  });
}

// Figures: look at one in full size, take it away as SVG.
const dialog = document.querySelector("dialog");
for (const image of document.querySelectorAll("figure > img")) {
  const figure = image.parentElement;
  const title = figure.querySelector("h3").textContent;
  const enlarge = document.createElement("button");
  enlarge.type = "button";
  enlarge.textContent = "Enlarge";
  enlarge.setAttribute("aria-label", "Enlarge " + title);
  enlarge.addEventListener("click", () => {
    const shown = dialog.querySelector("img");
    shown.src = image.src;
    shown.alt = image.alt;
    dialog.showModal();
  });
  const save = document.createElement("button");
  save.type = "button";
  save.textContent = "SVG";
  save.setAttribute("aria-label", "Save " + title + " as SVG");
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = image.src;
    link.download = image.dataset.name + ".svg";
    link.click();
  });
  figure.querySelector(".takeaway").prepend(enlarge, save);
}

// A link to a folded section unfolds it; printing unfolds all but the commands.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("section")?.querySelector(":scope > details");
  if (folded && !folded.open) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();
document.querySelector("nav").addEventListener("click", event => {
  const link = event.target.closest("a");
  if (link && link.hash === location.hash) unfold();
});
if (matchMedia("(max-width: 56rem)").matches) document.querySelector("nav details").open = false;
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("section details:not(.command)")) folded.open = true;
});
