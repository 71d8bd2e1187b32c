// Drop-downs that filter a list. What is chosen lives in the URL; this only asks for it to be changed.
function button(group) {
  const told = group.options.filter((option) => group.chosen.includes(option.value)).map((option) => option.text).join(", ");
  return el("button", { class: `pick${group.chosen.length ? " on" : ""}`, "aria-haspopup": "listbox", "aria-label": group.label, title: told || group.label },
    el("span", {}, group.chosen.length ? [`${group.label}: `, el("b", {}, told || group.chosen.join(", "))] : group.label), icon("down"));
}
export default function ({ data, parentElement, setTriggerValue }) {
  const { node, state } = root(parentElement, "filters");
  if (state.open) return; // what is being chosen from stays as it is until it is closed
  node.replaceChildren(...data.groups.map((group) => {
    const opener = button(group), panel = el("div", { class: "panel", popover: "auto", role: "listbox", "aria-label": group.label, "aria-multiselectable": String(group.multi) });
    const chosen = new Set(group.chosen), before = group.chosen.join("\n");
    const settle = () => { if ([...chosen].join("\n") !== before) setTriggerValue("choose", { key: group.key, values: [...chosen] }); };
    const choices = group.options.map((option) => {
      const tick = el("span", { class: "tick" });
      const mark = () => { tick.textContent = chosen.has(option.value) ? "✓" : ""; choice.setAttribute("aria-selected", String(chosen.has(option.value))); };
      const choice = el("button", { class: "choice", role: "option", on: { click: () => {
        if (!group.multi) { chosen.clear(); chosen.add(option.value); panel.hidePopover(); return; }
        chosen.has(option.value) ? chosen.delete(option.value) : chosen.add(option.value);
        mark();
      } } }, tick, option.status ? status(option.status, option.text) : el("span", {}, option.text));
      mark();
      return choice;
    });
    const find = group.options.length > 9 ? el("input", { type: "search", placeholder: "Find", "aria-label": `Find in ${group.label}`, on: { input: (event) => {
      const query = event.target.value.toLowerCase();
      choices.forEach((choice, at) => { choice.style.setProperty("display", group.options[at].text.toLowerCase().includes(query) ? "flex" : "none", "important"); });
    } } }) : null;
    const clear = group.chosen.length ? el("button", { class: "choice clear", on: { click: () => { chosen.clear(); panel.hidePopover(); } } }, el("span", { class: "tick" }), el("span", {}, "Clear")) : null;
    add(panel, [find, choices.length ? choices : el("div", { class: "choice muted" }, "Nothing to choose from yet"), clear]);
    panel.addEventListener("toggle", (event) => { state.open = event.newState === "open"; if (!state.open) settle(); });
    opener.addEventListener("click", () => {
      const box = opener.getBoundingClientRect();
      panel.style.left = `${Math.min(box.left, innerWidth - 400)}px`;
      panel.style.top = `${box.bottom + 4}px`;
      panel.togglePopover();
      if (find) find.focus();
    });
    return el("div", {}, opener, panel);
  }));
}
