// A list whose rows are links: a click opens in place, ctrl-click in a new tab; j/k move, enter opens.
// A long name keeps its end: metrics differ there ("…/accuracy.max"), and what is left out is in the middle.
function nameNode(label) {
  const text = clean(label).replace(/\s+/g, " "), slash = text.lastIndexOf("/"), last = slash < 0 ? 0 : text.length - slash - 1;
  const tail = text.length <= 14 ? 0 : last > 0 && last <= 16 ? last : 10;
  return tail ? el("span", { class: "ends" }, el("span", {}, text.slice(0, -tail)), el("span", {}, text.slice(-tail))) : text;
}
function scoreCell(scores) {
  return scores.map(([name, value, text]) => el("span", { class: "score", title: `${name}: ${text}` },
    value === null ? null : el("i", {}, el("b", { style: { width: `${Math.max(0, Math.min(1, value)) * 100}%` } })), text));
}
function meanCell(cell) {
  const at = (x) => `${Math.max(0, Math.min(1, x)) * 100}%`;
  const track = cell.unit && el("span", { class: "track" }, el("span", { class: "rail" }),
    cell.half === null ? null : el("span", { class: "span", style: {
      left: at(cell.value - cell.half), width: `${(Math.min(1, cell.value + cell.half) - Math.max(0, cell.value - cell.half)) * 100}%` } }),
    el("span", { class: "dot", style: { left: at(cell.value) } }));
  return el("span", { class: "bar" }, track, el("span", { class: "text" }, cell.text));
}
function cellNode(column, cell, row) {
  const classes = ["cell", column.class || "", cell && cell.tone ? cell.tone : ""].join(" ");
  const node = el("div", { class: classes, role: "cell", title: cell && cell.title });
  if (cell === null || cell === undefined) return node;
  let content = typeof cell === "object" ? cell.text : cell;
  if (column.type === "status") content = status(cell.status, cell.text);
  else if (column.type === "scores") content = scoreCell(cell.scores || []);
  else if (column.type === "mean" && typeof cell === "object" && "value" in cell) content = meanCell(cell);
  else if (column.type === "chips") content = el("span", { class: "chips" }, (cell.chips || []).map((chip) =>
    el("span", { class: chip.on ? "chip kept" : "chip", title: chip.title || cell.title }, chip.text)));
  else if (column.type === "name") content = nameNode(content);
  else if (cell.kind) content = el("span", { class: "named", title: cell.kind }, kindIcon(cell.kind), el("span", {}, cell.text), (cell.tags || []).map((tag) => el("span", { class: "chip" }, tag)));
  else if (cell.picture) content = el("a", { class: "picture", href: cell.picture, target: "_blank", rel: "noopener" },
    el("img", { src: cell.picture, alt: cell.title || "", loading: "lazy" }));
  if (cell.href) content = el("a", { class: "inner", href: cell.href, on: { click: going(cell.href) } }, content);
  if (column.link && row.href)
    content = el("a", { class: "go", href: row.href, on: { click: going(row.href) } }, content === "" ? "\u2013" : content);
  add(node, [content]);
  return node;
}
// Rows that are picked here are compared on a screen of their own: which ones is known to the browser alone until then.
function picker(data, state, node) {
  if (!data.compare) return null;
  state.picked ??= new Map();
  const words = el("span", {}), open = el("a", { class: "open" }, "Compare"), bar = el("div", { class: "picked", role: "status" }, words, open,
    el("button", { on: { click: () => { state.picked.clear(); draw(); } } }, "Clear"));
  const href = () => data.compare + [...state.picked.keys()].map(encodeURIComponent).join("&" + data.compare.split("?")[1]);
  open.addEventListener("click", (event) => going(href())(event));
  const draw = () => {
    const count = state.picked.size;
    words.textContent = `${count} selected`;
    bar.hidden = !count;
    if (data.height) bar.previousSibling.style.maxHeight = count ? `calc(${data.height} - 36px)` : data.height; // the list stays as high as it was
    open.toggleAttribute("aria-disabled", count < 2);
    count < 2 ? open.removeAttribute("href") : open.setAttribute("href", href());
    for (const box of node.querySelectorAll("input.pick")) box.checked = state.picked.has(box.value);
  };
  const toggle = (name) => { state.picked.has(name) ? state.picked.delete(name) : state.picked.set(name, true); draw(); };
  const cell = (row) => el("div", { class: "cell choose", role: "cell" },
    el("input", { type: "checkbox", class: "pick", value: row.pick, "aria-label": "Select", on: { change: () => toggle(row.pick) } }));
  return { bar, draw, toggle, cell };
}
export default function ({ data, parentElement, setTriggerValue }) {
  const held = root(parentElement, "table"), { node, state } = held;
  const fresh = state.ids && data.live ? data.rows.filter((row) => !state.ids.has(row.id)).map((row) => row.id) : [];
  const known = state.page === data.page && state.ids;
  const scroller = el("div", { class: "scroll", style: { "max-height": data.height || "none" } });
  const picks = picker(data, state, node);
  const grid = el("div", { class: data.tall ? "grid tall" : "grid", role: "table", "aria-label": data.label, style: {
    "grid-template-columns": (picks ? "28px " : "") + data.columns.map((column) => column.width || "minmax(80px, 1fr)").join(" ") } });
  const head = el("div", { class: "row head", role: "row" }, data.columns.map((column) => {
    const order = data.order && data.order.replace(/^-/, "") === column.sort ? data.order : null;
    const arrow = order ? (order[0] === "-" ? " ↓" : " ↑") : "";
    return el("div", { class: `cell ${(column.class || "").includes("num") ? "num" : ""}`, role: "columnheader", title: column.help || column.label,
      "aria-sort": order ? (order[0] === "-" ? "descending" : "ascending") : null },
      column.sort ? el("button", { class: order ? "on" : "", on: { click: () =>
        setTriggerValue("sort", order && order[0] === "-" ? column.sort : `-${column.sort}`) } }, nameNode(column.label), arrow && el("span", { class: "arrow" }, arrow)) : nameNode(column.label));
  }));
  if (picks) head.prepend(el("div", { class: "cell", role: "columnheader", "aria-label": "Selected" }));
  grid.append(head);
  const newest = known && fresh.length && fresh.length < data.rows.length ? fresh[fresh.length - 1] : null;
  for (const row of data.rows) {
    const line = el("div", { class: "row body", role: "row", "data-id": row.id },
      data.columns.map((column, at) => cellNode(column, row.cells[at], row)));
    if (picks) line.prepend(picks.cell(row));
    if (known && fresh.includes(row.id)) line.classList.add("fresh");
    if (row.id === newest) line.classList.add("line");
    if (row.id === state.current) line.classList.add("current");
    grid.append(line);
  }
  scroller.append(grid);
  if (!data.rows.length) scroller.append(el("div", { class: "none" }, data.none || "Nothing here."));
  const before = state.scroller, top = before && known ? before.scrollTop : 0;
  node.replaceChildren(scroller, ...(picks ? [picks.bar] : []));
  if (picks) picks.draw();
  // New rows come in above: what one reads stays where it is.
  scroller.scrollTop = top && fresh.length ? top + fresh.length * 33 : top;
  state.scroller = scroller; state.page = data.page; state.ids = new Set(data.rows.map((row) => row.id));
  const move = (step) => {
    const rows = [...grid.querySelectorAll(".body")];
    if (!rows.length) return;
    const at = rows.findIndex((line) => line.dataset.id === state.current);
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
    rows.forEach((line) => line.classList.toggle("current", line === next));
    state.current = next.dataset.id;
    next.scrollIntoView({ block: "nearest" });
  };
  keys(held, (event) => {
    if (!data.keys || typing()) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x" && picks) {
      const row = data.rows.find((each) => each.id === state.current); // it may be on another page by now
      if (row) picks.toggle(row.pick);
    } else if (event.key === "Enter" && state.current) {
      const row = data.rows.find((each) => each.id === state.current);
      if (row) go(row.href);
    } else return;
    event.preventDefault();
  });
}
