// A run that moves: what the server tells replaces the parts of the page that have the same id. Without this script the
// page asks for itself again.
"use strict";

const watch = (root) => {
  const seconds = Number(root.dataset.every);

  const asThePageIs = () => {
    if (window.htmx) window.htmx.ajax("GET", location.href, { target: "#content", select: "#content", swap: "outerHTML" });
    else location.reload();
  };

  const ask = () => {
    if (!document.hidden) asThePageIs();
    window.setTimeout(() => document.querySelector("[data-live]") && ask(), seconds * 1000);
  };

  if (!window.EventSource) {
    window.setTimeout(ask, seconds * 1000);
    return;
  }
  const stream = new EventSource(root.dataset.live);
  let wrong = document.getElementById("run-wrong")?.textContent;
  let shownAt = Date.now();

  // What went wrong is listed anew when there is more of it, but never under somebody's hands.
  const showErrors = () => {
    const now = document.getElementById("run-wrong")?.textContent;
    const tab = document.getElementById("run-tab");
    const isFree = tab && !tab.contains(document.activeElement) && window.getSelection().isCollapsed;
    if (now === wrong || Date.now() - shownAt < 5000 || !isFree || document.hidden || !window.htmx) return;
    [wrong, shownAt] = [now, Date.now()];
    window.htmx.ajax("GET", location.href, { target: "#run-tab", select: "#run-tab", swap: "outerHTML" });
  };

  stream.addEventListener("moved", (event) => {
    const parts = new DOMParser().parseFromString(event.data, "text/html").body.children;
    for (const part of [...parts]) {
      const old = document.getElementById(part.id);
      if (old && old.outerHTML !== part.outerHTML) old.replaceWith(part);
    }
    showErrors();
  });
  stream.addEventListener("over", () => {
    stream.close();
    asThePageIs();
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) window.setTimeout(ask, seconds * 1000);
  });
  window.addEventListener("pagehide", () => stream.close());
};

document.addEventListener("DOMContentLoaded", () => {
  const root = document.querySelector("[data-live]");
  if (root) watch(root);
});
