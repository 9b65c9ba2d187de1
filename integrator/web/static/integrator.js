// Everything here is a comfort: each page works without it.
"use strict";

// Times are told in the zone of whoever looks.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes("zone=" + zone)) {
  document.cookie = "zone=" + zone + "; path=/; max-age=31536000; samesite=lax";
}

document.documentElement.classList.add("has-script");

// `/` goes to the search, Escape closes menus.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.querySelector("[data-key='/']")?.focus();
  }
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

// One menu at a time; a click elsewhere closes it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const copies = event.target.closest("[data-copies]");
  if (copies) {
    const text = copies.parentElement.querySelector("[data-copy]");
    navigator.clipboard?.writeText(text.value).then(() => {
      copies.querySelector("span").textContent = "Copied";
    }, () => text.select());
  }
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-copy]")) event.target.select();
});

const begin = (root) => {
  for (const button of root.querySelectorAll("[data-copies]")) button.hidden = false;
  root.querySelector(".summary[role=alert]")?.focus();
  for (const form of root.querySelectorAll("form[data-guard=unsaved]")) changed.add(form);
};

// Leaving with what was typed and not sent asks.
const changed = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-guard]");
  if (form) changed.add(form);
});
document.addEventListener("submit", (event) => changed.delete(event.target));
window.addEventListener("beforeunload", (event) => {
  if ([...changed].some((form) => form.isConnected)) event.preventDefault();
});

document.addEventListener("DOMContentLoaded", () => begin(document));
document.addEventListener("htmx:afterSwap", (event) => begin(event.target));
