// Media of one key, step by step: pictures with boxes and masks, recordings, films, pages, clouds of points.
// Pages stand in frames in which nothing runs; what the server does not show is a file to download.
const INK = ["blue", "orange", "green", "purple", "sky", "violet", "brown", "vermillion"];
const source = (src) => /^\/blob\/[0-9a-f]{64}$/.test(src) ? src : "";
const inkOf = (id) => `var(--c-${INK[((Number(id) || 0) % INK.length + INK.length) % INK.length]})`;

function card(item, held) {
  const src = source(item.src), body = el("div", { class: "stage" });
  const gone = () => body.replaceChildren(el("span", { class: "gone" }, "missing or damaged"));
  if (!src) gone();
  else if (item.type === "image") body.append(picture(item, src, gone, held));
  else if (item.type === "audio") body.append(el("audio", { src, controls: true, preload: "metadata", on: { error: gone } }));
  else if (item.type === "video") body.append(el("video", { src, controls: true, loop: true, preload: "metadata", on: { error: gone } }));
  else if (item.type === "html") page(src, body, gone);
  else if (item.type === "points") cloud(src, item.format, body, gone);
  else body.append(el("span", { class: "gone" }, "A file to download"));
  const words = el("figcaption", {}, item.caption ? el("b", { title: item.caption }, item.caption) : null,
    el("a", { class: "file", href: src, download: clean(item.name), title: item.name }, item.text));
  return el("figure", { class: item.type }, body, words);
}

// A picture, what is drawn over it in shares of its size, and its masks in the colours of their classes.
function picture(item, src, gone, held) {
  const frame = el("a", { class: "frame", href: src, target: "_blank", rel: "noopener" });
  const shown = el("img", { src, alt: clean(item.caption || item.name), loading: "lazy", on: { error: gone } });
  const small = item.width && item.width < 112;
  if (small) { shown.classList.add("pixels"); shown.style.width = `${item.width * Math.floor(112 / item.width)}px`; } // whole pixels
  frame.append(shown);
  for (const mask of item.masks || []) mask_over(mask, frame, held);
  for (const box of item.boxes || []) {
    const ink = inkOf(box.id), tag = box.text ? el("i", { style: { background: ink } }, box.text) : null;
    frame.append(el("span", { class: "box", "data-class": clean(box.label), title: box.text,
      style: { left: `${box.x * 100}%`, top: `${box.y * 100}%`, width: `${box.w * 100}%`, height: `${box.h * 100}%`, "border-color": ink } }, tag));
  }
  return frame;
}
function mask_over(mask, frame, held) {
  const src = source(mask.src), canvas = el("canvas", { class: "mask" }), raw = new Image();
  if (!src) return;
  raw.onload = () => {
    canvas.width = raw.naturalWidth; canvas.height = raw.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(raw, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height), given = pixels.data.slice();
    canvas.paint = () => {
      const inks = new Map();
      const inked = (id) => {
        if (!inks.has(id)) inks.set(id, held.state.off.has(mask.labels[id] ?? String(id)) ? null : rgb(held.node, inkOf(id)));
        return inks.get(id);
      };
      for (let at = 0; at < given.length; at += 4) {
        const id = given[at], ink = id === 0 ? null : inked(id);
        pixels.data[at] = ink ? ink[0] : 0; pixels.data[at + 1] = ink ? ink[1] : 0; pixels.data[at + 2] = ink ? ink[2] : 0;
        pixels.data[at + 3] = ink ? 140 : 0;
      }
      context.putImageData(pixels, 0, 0);
    };
    canvas.paint();
  };
  raw.src = src;
  frame.append(canvas);
}
function rgb(node, colour) {
  const probe = el("span", { style: { color: colour, display: "none" } });
  node.append(probe);
  const found = getComputedStyle(probe).color.match(/[\d.]+/g) || [0, 0, 0];
  probe.remove();
  return found.slice(0, 3).map(Number);
}

async function text(src, limit) {
  const answer = await fetch(src);
  if (!answer.ok || Number(answer.headers.get("content-length") || 0) > limit) return null;
  return answer.text();
}
async function page(src, body, gone) {
  const found = await text(src, 4 << 20).catch(() => null);
  if (found === null) return gone();
  const frame = el("iframe", { sandbox: "", referrerpolicy: "no-referrer", title: "page" });
  frame.srcdoc = found;
  body.replaceChildren(frame);
}

// Points in space: x y z of a cloud, of a molecule's atoms or of a model's corners. Turned by dragging.
const ATOMS = { C: "muted", N: "c-blue", O: "c-vermillion", S: "c-orange", P: "c-brown", H: "line" };
function parsed(found, format) {
  if (format === "pts.json") {
    const scene = JSON.parse(found), list = Array.isArray(scene) ? scene : scene.points || [];
    const boxes = Array.isArray(scene) ? [] : (scene.boxes || []).map((box) => box.corners);
    return { points: list.map((p) => ({ at: p.slice(0, 3), ink: p.length === 6 ? `rgb(${p.slice(3).join(",")})` : inkOf(p.length === 4 ? p[3] : 0) })), boxes };
  }
  if (format === "obj") return { points: [...found.matchAll(/^v\s+(\S+)\s+(\S+)\s+(\S+)/gm)].map((m) => ({ at: [m[1], m[2], m[3]].map(Number), ink: inkOf(0) })), boxes: [] };
  const atoms = [...found.matchAll(/^(?:ATOM  |HETATM).*$/gm)].map(([line]) => ({
    at: [30, 38, 46].map((start) => Number(line.slice(start, start + 8))),
    ink: `var(--${ATOMS[line.slice(76, 78).trim().toUpperCase()] || "c-violet"})`, large: true,
  }));
  return { points: atoms, boxes: [] };
}
async function cloud(src, format, body, gone) {
  let scene = null;
  try { scene = parsed(await text(src, 16 << 20), format); } catch { return gone(); }
  const points = scene.points.filter((p) => p.at.every(Number.isFinite));
  if (!points.length) return gone();
  const canvas = el("canvas", { width: 480, height: 360, title: "Drag to turn" }), all = [...points.map((p) => p.at), ...scene.boxes.flat()];
  body.replaceChildren(canvas);
  const middle = [0, 1, 2].map((axis) => (Math.min(...all.map((p) => p[axis])) + Math.max(...all.map((p) => p[axis]))) / 2);
  const reach = Math.max(...all.map((p) => Math.hypot(...p.map((v, axis) => v - middle[axis])))) || 1;
  const inks = new Map(points.map((p) => [p.ink, p.ink.startsWith("var") ? `rgb(${rgb(body, p.ink).join(",")})` : p.ink]));
  let turn = 0.6, tilt = 0.4;
  const placed = (p) => {
    const [x, y, z] = p.map((v, axis) => (v - middle[axis]) / reach);
    const across = x * Math.cos(turn) + y * Math.sin(turn), depth = -x * Math.sin(turn) + y * Math.cos(turn);
    const up = z * Math.cos(tilt) - depth * Math.sin(tilt), far = z * Math.sin(tilt) + depth * Math.cos(tilt);
    return [240 + across * 165, 180 - up * 165, far];
  };
  const EDGES = [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]];
  const draw = () => {
    const context = canvas.getContext("2d"), size = points.length > 5000 ? 1 : points.length > 500 ? 1.5 : 3;
    context.clearRect(0, 0, 480, 360);
    const seen = points.map((p) => [placed(p.at), p]).sort((a, b) => b[0][2] - a[0][2]);
    for (const [[x, y, far], p] of seen) {
      context.globalAlpha = 0.95 - 0.3 * (far + 1) / 2;
      context.fillStyle = inks.get(p.ink);
      context.beginPath(); context.arc(x, y, p.large ? size * 1.8 : size, 0, 7); context.fill();
    }
    context.globalAlpha = 1; context.strokeStyle = `rgb(${rgb(body, "var(--c-orange)").join(",")})`;
    for (const corners of scene.boxes) for (const [a, b] of EDGES) {
      const [from, to] = [placed(corners[a]), placed(corners[b])];
      context.beginPath(); context.moveTo(from[0], from[1]); context.lineTo(to[0], to[1]); context.stroke();
    }
  };
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    turn += event.movementX / 120; tilt = Math.max(-1.5, Math.min(1.5, tilt + event.movementY / 120)); draw();
  });
  draw();
}

function classes(held) {
  const names = new Map();
  for (const item of held.state.items) {
    for (const box of item.boxes || []) if (box.label) names.set(box.label, box.id);
    for (const mask of item.masks || []) for (const [id, name] of Object.entries(mask.labels)) if (id !== "0") names.set(name, id);
  }
  if (!names.size) return null;
  return el("div", { class: "classes", role: "group", "aria-label": "Classes" }, [...names].slice(0, 40).map(([name, id]) => el("button", {
    class: held.state.off.has(name) ? "class off" : "class", "aria-pressed": String(!held.state.off.has(name)), style: { "--ink": inkOf(id) },
    on: { click: () => { if (!held.state.off.delete(name)) held.state.off.add(name); veil(held); } } }, name)));
}
function veil(held) {
  for (const box of held.node.querySelectorAll(".box")) box.hidden = held.state.off.has(box.dataset.class);
  for (const canvas of held.node.querySelectorAll("canvas.mask")) canvas.paint?.();
  const shown = held.node.querySelector(".classes");
  if (shown) shown.replaceWith(classes(held));
}

function draw(held, data) {
  const state = held.state, at = state.at, found = data.steps[at];
  state.items = found.items;
  const told = el("span", { class: "at" }, `step ${Number(found.step).toLocaleString("en")}`, data.steps.length > 1 ? el("span", { class: "muted" }, ` · ${at + 1} of ${data.steps.length}${data.logged > data.steps.length ? ` shown, ${data.logged.toLocaleString("en")} logged` : ""}`) : null);
  const slider = data.steps.length > 1 ? el("input", { type: "range", min: 0, max: data.steps.length - 1, value: at, "aria-label": `Step of ${clean(data.label)}`,
    on: { input: (event) => { state.at = Number(event.target.value); state.follow = state.at === data.steps.length - 1; show(held, data); } } }) : null;
  const most = state.all ? found.items.length : 24;
  const cards = found.items.slice(0, most).map((item) => card(item, held));
  const more = found.items.length > most ? el("button", { class: "more", on: { click: () => { state.all = true; show(held, data); } } }, `Show all ${found.items.length}`) : null;
  return [told, slider, el("div", { class: "cards" }, cards), more];
}
function show(held, data) {
  const [told, slider, cards, more] = draw(held, data), chips = classes(held);
  const bar = held.node.querySelector(".bar input[type=range]");
  if (bar && slider && bar.max === slider.max) { // the one that is being dragged stays
    held.node.querySelector(".at").replaceWith(told);
    bar.value = held.state.at;
    held.node.querySelectorAll(".cards, .more, .classes").forEach((node) => node.remove());
    add(held.node, [chips, cards, more]);
  } else held.node.replaceChildren(el("div", { class: "bar" }, el("b", {}, data.label), told, slider), ...[chips, cards, more].filter(Boolean));
  veil(held);
}
export default function ({ data, parentElement }) {
  const held = root(parentElement, "gallery"), words = JSON.stringify(data);
  if (held.state.words === words) return; // scroll, sound and the chosen step stay
  const last = data.steps.length - 1, state = held.state;
  state.off ??= new Set();
  state.at = state.follow === false ? Math.min(state.at, last) : last;
  state.words = words;
  show(held, data);
}
