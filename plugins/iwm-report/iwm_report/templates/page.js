"use strict";
// Without this, everything can be read: it hides and shows curves, enlarges pictures, and opens what a link leads to.
const dialog = document.querySelector("dialog");
const enliven = () => {
  for (const key of document.querySelectorAll(".legend li")) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...key.childNodes);
    key.append(button);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      for (const part of key.closest(".chart").querySelectorAll(`.plot .series-${key.dataset.series}`)) part.style.display = shown ? "" : "none";
    });
  }
  for (const image of document.querySelectorAll("main img")) {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    const enlarge = () => {
      const large = image.cloneNode();
      for (const name of ["tabindex", "role"]) large.removeAttribute(name);
      const words = document.createElement("p");
      words.textContent = image.alt;
      dialog.querySelector("div").replaceChildren(large, words);
      dialog.showModal();
    };
    image.addEventListener("click", enlarge);
    image.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); enlarge(); }
    });
  }
};
enliven();
dialog.addEventListener("click", () => dialog.close());
const open = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  for (let one = place; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  const own = place.querySelector(":scope > details");
  if (own) own.open = true;
  place.scrollIntoView();
};
addEventListener("hashchange", open);
open();
for (const button of document.querySelectorAll(".all")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const folded = [...document.querySelectorAll("main details")];
    const unfold = folded.some((one) => !one.open);
    for (const one of folded) one.open = unfold;
    button.textContent = unfold ? "Fold everything" : "Unfold everything";
  });
}
addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
