// The two-pane picker: what no library gives. The check boxes of the page stay what is sent; without this they do alone.
"use strict";

(() => {
  const make = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && !name.startsWith("aria")) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  let serial = 0;

  const boxes = (picker) => [...picker.querySelectorAll("[data-picker-list] input[type=checkbox]")];
  const told = (box) => {
    const words = box.closest("label");
    return {
      value: box.value,
      meaning: words.querySelector("[data-meaning]")?.textContent ?? "",
      admin: Boolean(words.querySelector("[data-admin]")),
      misfit: box.hasAttribute("data-misfit"),
    };
  };

  // One pane: a list in which several can be checked.
  const pane = (title, empty, onMove) => {
    const list = make("div", { className: "pane-list", role: "listbox", tabIndex: 0, "aria-multiselectable": "true" });
    const count = make("span", { className: "pane-count" });
    const heading = make("h3", { id: `pane-${++serial}` }, title, " ", count);
    list.setAttribute("aria-labelledby", heading.id);
    const shown = () => [...list.children];
    let at = 0;
    const point = (index) => {
      const options = shown();
      at = Math.max(0, Math.min(index, options.length - 1));
      for (const [number, option] of options.entries()) option.classList.toggle("is-at", number === at);
      if (options[at]) {
        list.setAttribute("aria-activedescendant", options[at].id);
        options[at].scrollIntoView({ block: "nearest" });
      } else list.removeAttribute("aria-activedescendant");
    };
    const toggle = (option, to) => option.setAttribute("aria-selected", String(to ?? option.getAttribute("aria-selected") !== "true"));
    list.addEventListener("keydown", (event) => {
      const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
      if (event.key in steps) point(Number.isFinite(steps[event.key]) ? at + steps[event.key] : event.key === "Home" ? 0 : shown().length);
      else if (event.key === " " && shown()[at]) toggle(shown()[at]);
      else if (event.key === "Enter") onMove();
      else if (event.key === "a" && (event.ctrlKey || event.metaKey)) for (const option of shown()) toggle(option, true);
      else return;
      event.preventDefault();
    });
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option) return;
      point(shown().indexOf(option));
      toggle(option);
    });
    list.addEventListener("dblclick", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) { toggle(option, true); onMove(); }
    });
    return {
      element: make("section", { className: "pane" }, heading, list),
      list,
      fill: (scopes) => {
        list.replaceChildren(...scopes.map((scope) => {
          const words = make("span", {}, make("code", { textContent: scope.value }));
          if (scope.meaning) words.append(make("small", { textContent: scope.meaning }));
          if (scope.admin) words.append(make("small", { className: "scope-admin", textContent: "An administrator must consent" }));
          const option = make("div", { id: `option-${++serial}`, role: "option", "aria-selected": "false" }, make("span", { className: "check", "aria-hidden": "true" }), words);
          option.dataset.value = scope.value;
          return option;
        }));
        count.textContent = `(${scopes.length})`;
        list.dataset.empty = scopes.length ? "" : empty;
        point(at);
      },
      checked: () => shown().filter((option) => option.getAttribute("aria-selected") === "true").map((option) => option.dataset.value),
      all: () => shown().map((option) => option.dataset.value),
    };
  };

  const open = (picker, opener) => {
    const known = new Map(boxes(picker).map((box) => [box.value, told(box)]));
    let chosen = boxes(picker).filter((box) => box.checked).map((box) => box.value);
    const search = make("input", { type: "search", className: "form-control", placeholder: "Search scopes", autocomplete: "off", "aria-label": "Search scopes" });
    const own = make("input", { type: "text", className: "form-control is-code", placeholder: "Type a scope of your own", autocomplete: "off", spellcheck: false, "aria-label": "Type a scope of your own" });
    const add = make("button", { type: "button", className: "button", textContent: "Add" });
    const status = make("p", { className: "visually-hidden", role: "status" });
    const left = pane("Available", "Nothing here", () => move(left.checked(), true));
    const right = pane("Chosen", "None chosen yet", () => move(right.checked(), false));
    const draw = () => {
      const wanted = search.value.trim().toLowerCase();
      const fits = (scope) => `${scope.value} ${scope.meaning}`.toLowerCase().includes(wanted);
      left.fill([...known.values()].filter((scope) => !chosen.includes(scope.value) && !scope.misfit && fits(scope)));
      right.fill(chosen.map((value) => known.get(value)));
    };
    const move = (values, isChosen) => {
      chosen = isChosen ? [...chosen, ...values] : chosen.filter((value) => !values.includes(value));
      draw();
      status.textContent = `${chosen.length} chosen`;
    };
    const addOwn = () => {
      for (const value of own.value.split(/[\s,]+/).filter(Boolean)) {
        if (!known.has(value)) known.set(value, { value, meaning: "", admin: false, misfit: false });
        if (!chosen.includes(value)) chosen.push(value);
      }
      own.value = "";
      draw();
    };
    search.addEventListener("input", draw);
    add.addEventListener("click", addOwn);
    own.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); addOwn(); } });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    const button = (sign, label, act) => {
      const made = make("button", { type: "button", className: "button", textContent: sign, "aria-label": label, title: label });
      made.addEventListener("click", act);
      return made;
    };
    const moves = make("div", { className: "pane-moves" },
      button(">", "Choose the checked", () => move(left.checked(), true)),
      button("»", "Choose all that the search shows", () => move(left.all(), true)),
      button("<", "Put the checked back", () => move(right.checked(), false)),
      button("«", "Put all back", () => move(right.all(), false)));
    const save = make("button", { type: "button", className: "button is-primary", textContent: "Use these scopes" });
    const cancel = make("button", { type: "button", className: "button is-plain", textContent: "Cancel" });
    const dialog = make("dialog", { className: "picker-dialog", "aria-label": "Choose scopes" },
      make("h2", { textContent: "Choose scopes" }), search,
      make("div", { className: "panes" }, left.element, moves, right.element),
      make("div", { className: "pane-own" }, own, add), status,
      make("div", { className: "form-actions" }, save, cancel));
    const close = () => { dialog.close(); };
    cancel.addEventListener("click", close);
    save.addEventListener("click", () => { keep(picker, chosen); close(); });
    dialog.addEventListener("close", () => { dialog.remove(); opener.focus(); });
    picker.closest("dialog, main").append(dialog);
    draw();
    dialog.showModal();
    search.focus();
  };

  // What was chosen goes back into the check boxes; a scope of one's own gets a new one.
  const keep = (picker, chosen) => {
    const list = picker.querySelector("[data-picker-list]");
    const there = new Map(boxes(picker).map((box) => [box.value, box]));
    for (const value of chosen) {
      if (there.has(value)) continue;
      const box = make("input", { type: "checkbox", name: "scopes", value });
      list.append(make("li", {}, make("label", {}, box, make("code", { textContent: value }))));
      there.set(value, box);
    }
    for (const [value, box] of there) box.checked = chosen.includes(value);
    draw(picker);
    picker.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const draw = (picker) => {
    const chips = picker.querySelector("[data-picker-chips]");
    chips.replaceChildren(...boxes(picker).filter((box) => box.checked).map((box) => {
      const scope = told(box);
      const remove = make("button", { type: "button", className: "chip-remove", textContent: "×", "aria-label": `Remove ${scope.value}` });
      remove.addEventListener("click", () => { box.checked = false; draw(picker); picker.dispatchEvent(new Event("input", { bubbles: true })); picker.querySelector("[data-picker-open]").focus(); });
      return make("span", { className: `scope-chip${scope.misfit ? " is-misfit" : ""}`, title: scope.meaning }, make("code", { textContent: scope.value }), remove);
    }));
    if (!chips.children.length) chips.append(make("span", { className: "none", textContent: "None chosen" }));
  };

  const begin = (root) => {
    for (const picker of root.querySelectorAll("[data-picker]:not(.has-panes)")) {
      picker.classList.add("has-panes");
      const opener = picker.querySelector("[data-picker-open]");
      opener.hidden = false;
      picker.querySelector("[data-picker-chips]").hidden = false;
      opener.addEventListener("click", () => open(picker, opener));
      draw(picker);
    }
  };

  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:load", (event) => begin(event.target.parentElement ?? document));
})();
