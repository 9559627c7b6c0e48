"use strict";
// The plan that was asked for in the address, and the way to another: each visit plays with one.
const askedPlan = new URLSearchParams(location.search).get("plan"), plans = document.getElementById("plans");
const startPlan = plans?.value ?? "";
if (askedPlan === null) document.getElementById("first").hidden = false;
const option = askedPlan === null ? null : [...plans?.options ?? []].find(each => each.value === askedPlan);
if (option) {
  option.selected = true;
  document.querySelector("header h1").textContent = option.dataset.name;
  document.title = option.dataset.name + " · revplan";
}
const here = askedPlan === null ? "/" : "/?plan=" + encodeURIComponent(askedPlan);
if (plans) plans.onchange = () => {
  location.href = plans.value === startPlan ? "/" : "/?plan=" + encodeURIComponent(plans.value);
};
