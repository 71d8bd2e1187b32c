// What every component shares: safe elements, icons, hues. User content only ever enters as text nodes.
const SVG = "http://www.w3.org/2000/svg";
const KIND_HUE = {
  llm: "blue", tool: "orange", retriever: "green", scorer: "purple", embedding: "sky", agent: "violet",
  guardrail: "brown",
};
const ICONS = {
  llm: "M8 1.8 9.6 6.4 14.2 8 9.6 9.6 8 14.2 6.4 9.6 1.8 8 6.4 6.4Z",
  tool: "M9.9 6.1a3.4 3.4 0 0 1 4-4.4L11.7 4l.4 1.4 1.4.4 2-2.1M9.9 6.1 2.6 12.2a1.3 1.3 0 1 0 1.8 1.8l6-7.3",
  retriever: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14",
  embedding: "M3 3h2v2H3zM11 3h2v2h-2zM3 11h2v2H3zM11 11h2v2h-2zM7 7h2v2H7z",
  agent: "M4 6.2h8a1 1 0 0 1 1 1V12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7.2a1 1 0 0 1 1-1ZM8 6.2V3.4M8 3.2v.1M6 9.2v.8M10 9.2v.8",
  guardrail: "M8 1.8 13 3.6v4c0 3.2-2.1 5.4-5 6.6-2.9-1.2-5-3.4-5-6.6v-4ZM5.8 7.9l1.6 1.6 2.9-3",
  scorer: "M8 2l1.8 3.8 4.2.5-3.1 2.9.8 4.2L8 11.3l-3.7 2.1.8-4.2L2 6.3l4.2-.5Z",
  chain: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.8-.8",
  op: "M3.5 3.5h9v9h-9z",
  ok: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM5.4 8.2l1.8 1.8 3.4-3.7",
  error: "M8 2.2 14.4 13.4H1.6ZM8 6.4v3.2M8 11.5v.1",
  running: "M8 2a6 6 0 1 1-5.6 3.9",
  interrupted: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.4 6v4M9.6 6v4",
  cancelled: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 12.2l8.4-8.4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M4 6l4 4 4-4", right: "M6 4l4 4-4 4", open: "M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5",
  up: "M5.2 7.4 8 2.3c.9 0 1.5.7 1.3 1.6L8.8 6.6h3.6c.8 0 1.4.7 1.2 1.5l-.8 4.1c-.1.7-.7 1.2-1.4 1.2H5.2ZM5.2 7.4H2.6v6h2.6",
  note: "M10.8 2.6l2.6 2.6L5.6 13l-3.2.6.6-3.2Z", alert: "M8 2.2 14.4 13.4H1.6ZM8 6.4v3.2M8 11.5v.1",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14",
};
const STATUS_WORD = { ok: "ok", error: "error", running: "running", interrupted: "interrupted", cancelled: "cancelled" };

// Control characters, ANSI escapes and bidirectional overrides are shown, never obeyed.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const CONTROLS = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");
function clean(value) {
  return String(value ?? "").replace(UNSAFE, (c) => {
    const code = c.codePointAt(0);
    if (code < 0x20) return `⟨${CONTROLS[code]}⟩`;
    return "⟨U+" + code.toString(16).toUpperCase().padStart(4, "0") + "⟩";
  });
}
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "style") for (const [property, v] of Object.entries(value)) node.style.setProperty(property, v);
    else if (name === "title") node.title = clean(value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}
function add(node, children) {
  for (const child of children.flat(9)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : clean(child));
  }
}
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat(9)) if (child) node.append(child);
  return node;
}
const drawn = new Map(); // a copy costs a fifth of what making one does, and a list has a hundred
function icon(name) {
  if (!drawn.has(name)) drawn.set(name, svg("svg", { class: "i", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICONS[name] || ICONS.op })));
  return drawn.get(name).cloneNode(true);
}
function hue(kind) {
  const name = Object.hasOwn(KIND_HUE, kind) ? KIND_HUE[kind] : null;
  return name ? `var(--c-${name})` : "var(--muted)";
}
function kindIcon(kind) {
  const shape = icon(Object.hasOwn(KIND_HUE, kind) || kind === "chain" ? kind : "op");
  shape.style.color = hue(kind);
  return shape;
}
function status(name, word) {
  const known = Object.hasOwn(STATUS_WORD, name) ? name : "cancelled";
  return el("span", { class: `status status-${known}` }, icon(known), el("span", {}, word ?? name));
}
// One root a mount; it outlives reruns, so that scroll, folds and focus stay where they were.
const roots = new WeakMap();
function root(parent, className) {
  let held = roots.get(parent);
  if (!held || !held.node.isConnected) {
    held = { node: el("div", { class: `w ${className}` }), state: {} };
    parent.append(held.node);
    roots.set(parent, held);
  }
  return held;
}
function typing() {
  let active = document.activeElement;
  while (active && active.shadowRoot && active.shadowRoot.activeElement) active = active.shadowRoot.activeElement;
  return !!active && (/^(input|textarea|select)$/i.test(active.tagName) || active.isContentEditable);
}
function plainClick(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
// In place and with a history of its own: Streamlit follows the address as it does for the browser's back and forward.
function go(href) {
  if (!href || !href.startsWith("/") || href.startsWith("//")) return;
  history.pushState({}, "", href);
  window.dispatchEvent(new PopStateEvent("popstate"));
}
function going(href) {
  return (event) => { if (plainClick(event)) { event.preventDefault(); event.stopPropagation(); go(href); } };
}
// Keys belong to the one mounted component that has them; the listener goes with the element.
function keys(held, handler) {
  held.handler = handler;
  if (held.listening) return;
  held.listening = true;
  const listen = (event) => {
    if (!held.node.isConnected) return document.removeEventListener("keydown", listen);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    held.handler(event);
  };
  document.addEventListener("keydown", listen);
}

// Where redaction took something out before it was written, that is told apart from what was said.
const REDACTED = /(\[redacted(?::[^\]\n]{0,80})?\])/;
function marked(text) {
  const pieces = clean(text).split(REDACTED);
  return pieces.length === 1 ? pieces : pieces.map((piece, at) => at % 2 ? el("span", { class: "redacted", title: "Taken out before it was written" }, piece) : piece);
}

// Long texts fold; structures unfold as far as fits.
function folded(text, render, limit = 1600) {
  if (text.length <= limit) return render(text);
  const box = el("div", {});
  const draw = (open) => box.replaceChildren(render(open ? text : text.slice(0, limit) + " …"),
    el("button", { class: "more", on: { click: () => draw(!open) } }, open ? "Show less" : `Show all ${text.length.toLocaleString("en")} characters`));
  draw(false);
  return box;
}
// What was recorded as a picture, a recording or a file. The server sends nothing that could run as anything but a file.
function media(item) {
  const src = /^\/blob\/[0-9a-f]{64}$/.test(item.src) ? item.src : "", caption = el("a", { class: "file", href: src, download: clean(item.name) }, item.text);
  if (!src) return el("span", { class: "t" }, item.text);
  const gone = () => box.replaceChildren(el("span", { class: "t" }, "cannot be shown: missing, or not what it says it is "), caption);
  const shown = item.kind === "picture" ? el("a", { href: src, target: "_blank", rel: "noopener" }, el("img", { src, alt: clean(item.text), loading: "lazy", on: { error: gone } }))
    : item.kind === "recording" ? el(item.text.startsWith("video/") ? "video" : "audio", { src, controls: true, preload: "metadata", on: { error: gone } }) : null;
  const box = el("span", { class: "media" }, shown, caption, item.preview ? folded(item.preview, (text) => el("span", { class: "s" }, text)) : null);
  return box;
}
function jsonTree(value, depth = 0, budget = { left: 160 }) {
  if (value === null) return el("span", { class: "b" }, "null");
  if (typeof value === "boolean") return el("span", { class: "b" }, value);
  if (typeof value === "number") return el("span", { class: "n" }, value);
  if (typeof value === "string") return folded(value, (text) => el("span", { class: "s" }, marked(JSON.stringify(text).replace(/\\n/g, "\n").replace(/\\"/g, '"'))), 600);
  if (!Array.isArray(value) && Object.keys(value).length === 1 && "\u0000" in value) return el("span", { class: "t" }, value["\u0000"]);
  if (!Array.isArray(value) && Object.keys(value).length === 1 && "\u0001" in value) return media(value["\u0001"]);
  const list = Array.isArray(value), entries = list ? value.map((each, at) => [at, each]) : Object.entries(value);
  const [open, shut] = list ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return el("span", { class: "sum" }, open + shut);
  budget.left -= entries.length;
  const box = el("span", {}), start = depth === 0 || (depth < 3 && budget.left > 0);
  let shown = 100;
  const draw = (unfolded) => {
    const knob = el("button", { class: "knob", "aria-expanded": String(unfolded), "aria-label": unfolded ? "fold" : "unfold", on: { click: () => draw(!unfolded) } }, icon(unfolded ? "down" : "right"));
    if (!unfolded) return box.replaceChildren(depth ? knob : "", el("span", { class: "sum" }, `${open} ${entries.length} ${list ? "items" : "keys"} ${shut}`));
    const rows = entries.slice(0, shown).map(([key, each]) => el("div", { class: "row" }, list ? null : el("span", { class: "k" }, `${clean(key)}: `), jsonTree(each, depth + 1, budget)));
    if (entries.length > shown) rows.push(el("button", { class: "more", on: { click: () => { shown += 400; draw(true); } } }, `Show ${Math.min(400, entries.length - shown)} more of ${entries.length}`));
    box.replaceChildren(depth ? knob : "", el("span", { class: "sum" }, open), el("div", { class: "kids" }, rows), el("span", { class: "sum" }, shut));
  };
  draw(start);
  return box;
}
function copyButton(text, label) {
  const button = el("button", { class: label ? "btn" : "", title: "Copy", "aria-label": "Copy", on: { click: async (event) => {
    event.stopPropagation();
    await navigator.clipboard.writeText(text());
    const was = [...button.childNodes];
    button.replaceChildren("Copied");
    setTimeout(() => button.replaceChildren(...was), 1200);
  } } }, icon("copy"), label || "");
  return button;
}
