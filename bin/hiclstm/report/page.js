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

// Figures: look at one in full size.
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
  figure.querySelector(".takeaway").prepend(enlarge);
}

// On a phone the list of sections waits folded; printing unfolds all figures, and folds them again.
const sections = document.querySelector("nav > details");
if (sections && matchMedia("(max-width: 56rem)").matches) sections.open = false;
const unfolded = [];
addEventListener("beforeprint", () => {
  unfolded.push(...document.querySelectorAll("main details:not(.command, .files, [open])"));
  for (const folded of unfolded) folded.open = true;
});
addEventListener("afterprint", () => {
  for (const folded of unfolded.splice(0)) folded.open = false;
});
