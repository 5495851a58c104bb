"use strict";
// Each event is the timeline as the server would render it into the page, with everything escaped.
const timeline = document.getElementById("timeline");
new EventSource("/events").onmessage = (event) => { timeline.innerHTML = event.data; };

// A button that was pressed shows it until the next page is there.
const busy = (on) => (event) => event.target.toggleAttribute?.("aria-busy", on);
addEventListener("submit", busy(true));
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((f) => f.removeAttribute("aria-busy")));
