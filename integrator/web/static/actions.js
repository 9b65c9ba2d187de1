// On the page of an action: what it gave is copied exactly as it is, seen or unseen. The page works without it.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copies-exact]");
  const text = button?.parentElement.querySelector("[data-exact]");
  if (!text) return;
  navigator.clipboard?.writeText(text.textContent).then(
    () => { button.querySelector("span").textContent = "Copied"; },
    () => { button.parentElement.querySelector("details")?.setAttribute("open", ""); },
  );
});

document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copies-exact]")) button.hidden = false;
});

// What was shown is gone when the page is left, also for whoever goes back to it.
window.addEventListener("pagehide", () => {
  for (const text of document.querySelectorAll(".secret-output details[open], .secret-cell[open]")) text.open = false;
});
