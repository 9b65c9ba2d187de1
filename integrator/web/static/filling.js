// While a form is filled in: what was wrong goes once it is changed, a guessed address is taken, the focus stays.
"use strict";

(() => {
  // An error is of what was sent; once the field is another one it says nothing any more.
  const forget = (field) => {
    field.classList.remove("has-error");
    const part = field.querySelector("[aria-invalid]") ?? (field.matches("[aria-invalid]") ? field : null);
    part?.removeAttribute("aria-invalid");
    for (const told of field.querySelectorAll(":scope > .error")) told.remove();
    const id = field.id.startsWith("field-") ? field.id : field.querySelector("[id^=field-]")?.id;
    const summary = field.closest("form")?.querySelector(".summary");
    if (!summary || !id) return;
    summary.querySelector(`a[href="#${CSS.escape(id).replaceAll("\\.", ".")}"]`)?.closest("li").remove();
    const left = summary.querySelectorAll("li").length;
    if (!left) summary.remove();
    else summary.querySelector("h2").textContent = left === 1 ? "One thing has to be changed" : `${left} things have to be changed`;
  };
  const changed = (event) => {
    const field = event.target.closest(".has-error");
    if (field) forget(field);
  };
  document.addEventListener("input", changed);
  document.addEventListener("change", changed);

  // The address that is offered is typed in.
  document.addEventListener("click", (event) => {
    const offer = event.target.closest("[data-completes]");
    const input = offer?.closest("[class]:has(.watched)")?.querySelector(".watched input");
    if (!input) return;
    event.preventDefault();
    input.value = offer.dataset.completes;
    input.focus();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // One press sends once; the button shows that it was heard.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-guard]") || event.defaultPrevented) return;
    if (form.getAttribute("aria-busy") === "true") return void event.preventDefault();
    form.setAttribute("aria-busy", "true");
    event.submitter?.classList.add("is-busy");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
    for (const button of document.querySelectorAll(".button.is-busy")) button.classList.remove("is-busy");
  });

  // Whoever stood in a part that is replaced stands in the new one.
  let stood = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    const at = document.activeElement;
    stood = event.detail.target?.contains(at) ? at.id || "?" : "";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "recognized") event.target.lastElementChild?.scrollIntoView({ block: "nearest" });
    if (!stood || document.activeElement !== document.body) return;
    (document.getElementById(stood) ?? document.querySelector("#let-in [data-picker-open]"))?.focus();
    stood = "";
  });

  document.addEventListener("DOMContentLoaded", () => document.querySelector("[data-told]")?.focus());
})();
