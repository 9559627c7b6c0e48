"use strict";
// Names and values of the sliders for those who hear them: the widgets leave both out.
function nameSliders() {
  for (const box of document.querySelectorAll(".widget-slider, .widget-hslider")) {
    const handle = box.querySelector(".noUi-handle");
    const label = box.querySelector(".widget-label");
    const readout = box.querySelector(".widget-readout");
    if (!handle) continue;
    if (label) set(handle, "aria-label", label.textContent);
    if (readout) set(handle, "aria-valuetext", readout.textContent);
  }
}
function set(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
new MutationObserver(nameSliders).observe(document.body, {childList: true, subtree: true, characterData: true});

// Says when the simulator behind the page is gone.
const kernel = JSON.parse(document.getElementById("jupyter-config-data").textContent).kernelId;
const lost = document.getElementById("lost");
setInterval(async () => {
  const answer = await fetch(`api/kernels/${kernel}`).catch(() => null);
  lost.hidden = answer !== null && answer.ok;
  if (lost.hidden) return;
  const words = answer === null
    ? "The simulator was stopped. Start it again with revplan app, and open the address it prints."
    : "This visit has ended. Load the page again to begin a new one.";
  if (lost.textContent !== words) lost.textContent = words;
}, 5000);
