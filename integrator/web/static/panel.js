// The side panel: htmx fills it with a page that also stands alone; here it opens, closes, and gives the focus back.
"use strict";

(() => {
  const panel = () => document.getElementById("panel");
  const body = () => document.getElementById("panel-body");
  const choice = () => document.getElementById("field-iclient");
  let opener = null;
  let isTyped = false;

  const mayClose = () => !isTyped || window.confirm("Close without saving? What you typed here is lost.");
  const close = () => { if (panel()?.open) panel().close(); };

  // The page behind may have fields of the same name: in here, their ids get another beginning.
  const toldApart = (part) => {
    const told = (id) => /^(field-|other-scopes)/.test(id) ? `panel-${id}` : id;
    for (const one of part.querySelectorAll("[id]")) one.id = told(one.id);
    for (const name of ["for", "aria-describedby", "aria-labelledby"]) {
      for (const one of part.querySelectorAll(`[${name}]`)) one.setAttribute(name, one.getAttribute(name).split(" ").map(told).join(" "));
    }
    for (const link of part.querySelectorAll("a[href^='#']")) link.hash = told(link.hash.slice(1));
  };

  const watch = () => {
    const dialog = panel();
    if (!dialog) return;
    dialog.addEventListener("close", () => {
      isTyped = false;
      body().replaceChildren();
      (opener?.isConnected ? opener : choice())?.focus();
    });
    dialog.addEventListener("input", (event) => { if (event.target.type !== "search") isTyped = true; });
    dialog.addEventListener("cancel", (event) => {
      if (event.target === dialog && !mayClose()) event.preventDefault();
    });
    // A click on what lies behind it closes it.
    dialog.addEventListener("click", (event) => { if (event.target === dialog && mayClose()) close(); });
    const pencil = () => document.querySelector("#iclient-part [value=iclient-edit]");
    const judge = () => { if (pencil()) pencil().disabled = !choice().value; };
    document.addEventListener("change", judge);
    document.addEventListener("htmx:oobAfterSwap", judge);
    judge();
  };

  document.addEventListener("DOMContentLoaded", watch);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-panel-close]") && mayClose()) close();
  });
  window.addEventListener("beforeunload", (event) => { if (isTyped) event.preventDefault(); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "panel-body" && !panel().open) opener = event.detail.elt;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "panel-body") return;
    toldApart(body());
    if (!panel().open) panel().showModal();
    panel().scrollTop = 0;
    if (!body().querySelector(".summary")) body().querySelector("input:not([type=hidden], [readonly]), select")?.focus();
  });
  document.addEventListener("panel-done", () => {
    isTyped = false;
    opener = null;
    close();
    choice()?.focus();
    choice()?.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
