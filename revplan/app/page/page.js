"use strict";
// Names and values of the sliders for those who hear them: the widgets leave both out.
function nameSliders() {
  for (const box of document.querySelectorAll(".widget-slider, .widget-hslider")) {
    const handle = box.querySelector(".noUi-handle");
    const label = box.querySelector(".widget-label");
    if (!handle) continue;
    if (label) set(handle, "aria-label", label.textContent);
    set(handle, "aria-valuetext", valueText(box.parentElement, box.querySelector(".widget-readout").textContent));
  }
}
// What the field beside says, or what it will say: a slider holds steps, and an answer is still on its way.
function valueText(row, position) {
  const field = row.querySelector("input"), {step, digits} = row.querySelector("[data-step]")?.dataset ?? {};
  if (!step || Math.round(field.value.replaceAll(",", "") / step) === Number(position)) return field.value;
  const fraction = {minimumFractionDigits: digits, maximumFractionDigits: digits};
  return (position * step).toLocaleString("en-US", fraction);
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
