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

// Says when the simulator behind the page is gone, and leads back to where the visitor stood: the page has it in words.
const kernel = JSON.parse(document.getElementById("jupyter-config-data").textContent).kernelId;
const lost = document.getElementById("lost");
const KEPT = "revplan " + document.title + " ";
history.replaceState(null, "", here);

// Whoever leaves makes room for another; a browser may leave out the event before, on which the widgets do so.
addEventListener("pagehide", () => navigator.sendBeacon(`voila/api/shutdown/${kernel}`));

// What a visitor has set lives as long as the window: it is kept here, and given to whichever kernel comes next.
function places() { return [...document.querySelectorAll(".rp-place textarea")]; }
function takeUp(place, kept) {
  place.value = kept;
  for (const kind of ["input", "change"]) place.dispatchEvent(new Event(kind, {bubbles: true}));
}
lost.querySelector("button").onclick = () => location.reload();

let begun = false;
const beginning = setInterval(() => {
  if (places().length < 2 || !document.querySelector(".rp-charts svg")) return;
  clearInterval(beginning);
  document.getElementById("first").remove();
  places().forEach((place, number) => {
    const kept = sessionStorage.getItem(KEPT + number);
    if (kept) takeUp(place, kept);
  });
  begun = true;
}, 100);
function keep() {
  if (!begun) return;
  places().forEach((place, number) => sessionStorage.setItem(KEPT + number, place.value));
}
addEventListener("pagehide", keep);

setInterval(async () => {
  const now = places()[0]?.value;
  keep();
  const answer = await fetch(`api/kernels/${kernel}`).catch(() => null);
  const gone = answer === null || !answer.ok;
  document.getElementById("rendered_cells").inert = gone;
  lost.hidden = !gone;
  if (!gone) return;
  const words = answer === null
    ? "The simulator was stopped. Start it again with revplan app, and open the address it prints."
    : "This visit has ended: the simulator behind this page is gone, or nothing was moved for a while.";
  const said = lost.querySelector("span");
  if (said.textContent !== words) said.textContent = words;
  lost.querySelector("button").hidden = answer === null;
  const file = lost.querySelector("a");
  file.hidden = !now;
  file.href = "data:application/yaml;charset=utf-8," + encodeURIComponent(now ?? "");
}, 2000);

// A file too large to be a scenario is not sent, only how large it is: the server would close the line without a word.
const read = FileReader.prototype.readAsArrayBuffer, MOST = 2e6;
FileReader.prototype.readAsArrayBuffer = function (file) {
  return read.call(this, file.size > MOST ? new Blob([]) : file);
};
