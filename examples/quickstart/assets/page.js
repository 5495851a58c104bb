"use strict";
// Each event is the timeline as the server would render it into the page, with everything escaped. Whoever reads in the
// list with the keyboard keeps the focus and the place.
const timeline = document.getElementById("timeline");
new EventSource("/events").onmessage = (event) => {
  const before = timeline.querySelector(".scroll");
  const focused = before !== null && before === document.activeElement, top = before?.scrollTop ?? 0;
  timeline.innerHTML = event.data;
  const after = timeline.querySelector(".scroll");
  if (after === null) return;
  after.scrollTop = top;
  if (focused) after.focus({preventScroll: true});
};

// A button that was pressed shows it until the next page is there.
const busy = (on) => (event) => event.target.toggleAttribute?.("aria-busy", on);
addEventListener("submit", busy(true));
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((f) => f.removeAttribute("aria-busy")));
