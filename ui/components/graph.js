// Runs and versions as a graph from left to right: every node is a link, the one we look at stands out.
const NODE_W = 158, NODE_H = 40, GAP_X = 42, GAP_Y = 12;
const LEAST = 0.3, READABLE = 0.8, PAD = 18;
// Buttons, the wheel with ctrl, and a drag of the ground: how a graph is looked at that is larger than its frame.
function zoomable(scroll, field, width, height) {
  const holder = el("div", {}, field);
  const whole = () => Math.min(1, (scroll.clientWidth - PAD) / width, (parseFloat(getComputedStyle(scroll).maxHeight) - PAD) / height);
  let scale = 1;
  const to = (wanted, x = scroll.clientWidth / 2, y = scroll.clientHeight / 2) => {
    const next = Math.min(1.5, Math.max(LEAST, wanted)), left = (scroll.scrollLeft + x) / scale, top = (scroll.scrollTop + y) / scale;
    scale = next;
    field.style.transform = `scale(${scale})`;
    holder.style.width = `${width * scale}px`; holder.style.height = `${height * scale}px`;
    scroll.scrollTo({ left: left * scale - x, top: top * scale - y });
  };
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = scroll.getBoundingClientRect();
    to(scale * Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  scroll.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("a")) return;
    scroll.setPointerCapture(event.pointerId);
    const move = (moved) => scroll.scrollBy(-moved.movementX, -moved.movementY);
    scroll.addEventListener("pointermove", move);
    scroll.addEventListener("lostpointercapture", () => scroll.removeEventListener("pointermove", move), { once: true }); // let go, or broken off
  });
  scroll.append(holder);
  to(Math.max(READABLE, whole()));
  const knob = (text, label, act) => el("button", { title: label, "aria-label": label, on: { click: act } }, text);
  const bar = el("div", { class: "zoom" }, knob("−", "Smaller", () => to(scale / 1.25)), knob("+", "Larger", () => to(scale * 1.25)), knob("Fit", "All of it", () => to(whole())));
  return { bar, scale };
}
export default function ({ data, parentElement }) {
  const { node: host } = root(parentElement, "graph");
  const width = data.columns * (NODE_W + GAP_X) - GAP_X + 8, height = Math.max(1, data.rows) * (NODE_H + GAP_Y) - GAP_Y + 8;
  const place = (node) => ({ x: 4 + node.column * (NODE_W + GAP_X), y: 4 + node.row * (NODE_H + GAP_Y) });
  const at = new Map(data.nodes.map((node) => [node.id, place(node)]));
  const edges = data.edges.map((edge) => {
    const from = at.get(edge.source), to = at.get(edge.target);
    const back = to.x <= from.x, x1 = from.x + NODE_W, y1 = from.y + NODE_H / 2, x2 = to.x, y2 = to.y + NODE_H / 2;
    const bend = back ? NODE_H : Math.max(24, (x2 - x1) / 2);
    const d = back
      ? `M${x1} ${y1} C${x1 + bend} ${y1 + bend} ${x2 - bend} ${y2 + bend} ${x2} ${y2}`
      : `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    const path = svg("path", { d, class: `edge${edge.direct ? " direct" : ""}`, "marker-end": "url(#weft-arrow)" });
    if (edge.text) path.append(svg("title", {}, document.createTextNode(clean(edge.text))));
    return path;
  });
  const arrow = svg("marker", { id: "weft-arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0.5 7.5 4 0 7.5Z", class: "tip" }));
  const plot = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, svg("defs", {}, arrow), edges);
  const nodes = data.nodes.map((node) => {
    const { x, y } = place(node);
    const mark = node.kind === "run" ? icon("open") : icon("op");
    return el("a", {
      class: `node ${node.kind}${node.root ? " root" : ""}`, href: node.href, title: node.title, "aria-current": node.root ? "page" : null,
      style: { left: `${x}px`, top: `${y}px`, width: `${NODE_W}px`, height: `${NODE_H}px` }, on: { click: going(node.href) },
    }, mark, el("span", { class: "told" }, el("span", { class: "name clip" }, node.label), el("span", { class: "sub clip" }, node.sub)));
  });
  const field = el("div", { class: "field", style: { width: `${width}px`, height: `${height}px` } }, plot, nodes);
  const scroll = el("div", { class: "scroll", role: "group", "aria-label": "Lineage", tabindex: "0" });
  host.replaceChildren(scroll);
  const { bar, scale } = zoomable(scroll, field, width, height), here = host.querySelector(".root");
  if (data.zoom) host.append(bar);
  if (here) scroll.scrollTo({ left: (here.offsetLeft + NODE_W / 2) * scale - scroll.clientWidth / 2, top: (here.offsetTop + NODE_H / 2) * scale - scroll.clientHeight / 2 });
}
