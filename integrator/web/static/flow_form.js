// One part of the flow's form at a time: cards open their parts, and so does a link to something inside of one.
"use strict";

(() => {
  const form = () => document.getElementById("flow");

  const open = (part) => {
    if (!form() || !part) return;
    form().dataset.part = part;
    form().querySelector("[data-part-field]").value = part;
    for (const card of form().querySelectorAll(".flow-card")) {
      if (card.dataset.opens === part) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    }
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      open(opener.dataset.opens);
      const part = document.getElementById("part-" + opener.dataset.opens);
      if (!opener.classList.contains("flow-card")) {
        part.focus({ preventScroll: true });
        document.getElementById("strip").scrollIntoView({ block: "nearest" });
      }
      return;
    }
    const link = event.target.closest(".summary a[href^='#']");
    const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!target) return;
    event.preventDefault();
    open(target.closest(".part")?.id.slice("part-".length));
    target.focus();
  });

  document.addEventListener("htmx:oobAfterSwap", () => open(form()?.dataset.part));

  // A row that is picked from a list of fields is typed at once: what is told beside it need not wait for leaving it.
  document.addEventListener("input", (event) => {
    if (event.target.matches("[name='rule.text'], [name='rule.to']") && event.inputType === undefined) {
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
})();
