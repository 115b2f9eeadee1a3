"use strict";
// Puts news in place of what is there, of a page that `iwm watch` serves: what is unfolded, hidden, focused or being read stays so.
{
  const told = document.getElementById("live");
  const main = document.querySelector("main");
  const reached = "a, button, summary, [tabindex]";
  const keyOf = (one) => `${one.closest("[id]").id} ${one.querySelector("summary, h3, h4").textContent.replace(/[\d.,]+/g, "")}`;
  const seriesOf = (button) => `${button.closest(".chart").querySelector("h3, h4").textContent} ${button.textContent}`;
  const hidden = () => [...document.querySelectorAll(".legend [aria-pressed=false]")].map(seriesOf);
  let tag = told.dataset.tag;
  const replace = (text) => {
    const news = new DOMParser().parseFromString(text, "text/html");
    const unfolded = new Map([...main.querySelectorAll("details")].map((one) => [keyOf(one), one.open]));
    const out = hidden(), height = scrollY, focus = [...main.querySelectorAll(reached)].indexOf(document.activeElement);
    for (const css of ["h1", ".standing", "nav > ul", "main"]) {
      const [one, other] = [document.querySelector(css), news.querySelector(css)];
      if (one && other) one.replaceChildren(...other.childNodes);
    }
    document.title = news.title;
    for (const one of main.querySelectorAll("details")) one.open = unfolded.get(keyOf(one)) ?? one.open;
    enliven();
    for (const button of document.querySelectorAll(".legend button")) if (out.includes(seriesOf(button))) button.click();
    if (focus >= 0) main.querySelectorAll(reached)[focus]?.focus({ preventScroll: true });
    scrollTo({ top: height, behavior: "instant" });
  };
  const look = async () => {
    if (document.hidden || dialog.open || String(getSelection())) return;
    try {
      const answer = await fetch("/", { headers: { "If-None-Match": tag }, cache: "no-store" });
      if (answer.ok && !dialog.open) {
        replace(await answer.text());
        tag = answer.headers.get("ETag");
      }
      told.textContent = `looked at ${new Date().toLocaleTimeString()}`;
    } catch {
      told.textContent = "iwm watch has ended; this is what it showed last";
    }
  };
  setInterval(look, 2000);
}
