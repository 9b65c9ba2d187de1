// The side panel: htmx fills it with a page that also stands alone; here it opens, closes, and gives the focus back.
"use strict";

(() => {
  const panel = () => document.getElementById("panel");
  let opener = null;

  const close = () => { if (panel()?.open) panel().close(); };

  const watch = () => {
    const dialog = panel();
    if (!dialog) return;
    dialog.addEventListener("close", () => {
      document.getElementById("panel-body").replaceChildren();
      (opener?.isConnected ? opener : document.getElementById("field-iclient"))?.focus();
    });
    // A click on what lies behind it closes it, unless something was typed.
    let typed = false;
    dialog.addEventListener("input", () => { typed = true; });
    dialog.addEventListener("close", () => { typed = false; });
    dialog.addEventListener("click", (event) => { if (event.target === dialog && !typed) close(); });
    const choice = () => document.getElementById("field-iclient");
    const pencil = () => document.querySelector("#iclient-part [value=iclient-edit]");
    const judge = () => { if (pencil()) pencil().disabled = !choice().value; };
    document.addEventListener("change", judge);
    document.addEventListener("htmx:oobAfterSwap", judge);
    judge();
  };

  document.addEventListener("DOMContentLoaded", watch);
  document.addEventListener("click", (event) => { if (event.target.closest("[data-panel-close]")) close(); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "panel-body" && !panel().open) opener = event.detail.elt;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id === "panel-body" && !panel().open) panel().showModal();
  });
  document.addEventListener("panel-done", () => {
    opener = null;
    close();
    const choice = document.getElementById("field-iclient");
    choice?.focus();
    choice?.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
