// One trace: tree and waterfall in one list, the pane on the right follows the cursor. Draws only the rows in view.
const ROW = 28;
// Levels that are deep are drawn closer, so that a name always has room.
const indent = (depth) => Math.min(depth, 8) * 14 + Math.min(Math.max(depth - 8, 0), 40) * 3;

function prose(text) {
  // Code fences and inline code are set apart; everything stays text, so nothing is fetched or run.
  const out = [];
  String(text).split(/```[^\n]*\n?/).forEach((piece, at) => {
    if (at % 2) out.push(el("pre", {}, marked(piece.replace(/\n$/, ""))));
    else piece.split(/(`[^`\n]+`)/).forEach((run) => { if (run) out.push(/^`[^`\n]+`$/.test(run) ? el("code", {}, run.slice(1, -1)) : marked(run)); });
  });
  return el("div", { class: "prose" }, out);
}
// A message's part; `says` draws its words.
function part(each, says) {
  if (each.type === "call") return el("div", { class: "call" }, el("span", { class: "fn" }, icon("tool"), each.name), each.id ? el("span", { class: "cid" }, each.id) : null,
    el("div", { class: "json" }, typeof each.arguments === "string" ? folded(each.arguments, (text) => el("span", { class: "s" }, marked(text))) : jsonTree(each.arguments, 1)));
  if (each.type === "result") return el("div", { class: "call" }, el("span", { class: "fn" }, "result"), each.id ? el("span", { class: "cid" }, each.id) : null, each.parts.map((inner) => part(inner, prose)));
  if (each.type === "thought") return el("div", { class: "thought" }, el("span", { class: "fn" }, "thinking"), folded(each.text, says));
  return each.type === "json" ? el("div", { class: "json" }, jsonTree(each.value)) : folded(each.text, says);
}
const spoken = (parts) => parts.map((each) => each.text ?? (each.parts ? spoken(each.parts) : typeof each.arguments === "string" ? each.arguments : JSON.stringify(each.arguments ?? each.value))).join("\n");
// Rendered as markdown; what a tool says, or whoever wants it so, as it was written.
function chat(messages) {
  return messages.map((message) => {
    const inside = el("div", { class: "inside" }), words = message.parts.some((each) => each.type === "text" || each.type === "thought");
    const button = words && el("button", { class: "way", title: "Markdown, or as it was written", on: { click: () => draw(!rendered) } });
    let rendered;
    const draw = (as) => {
      rendered = as;
      if (button) button.textContent = as ? "raw" : "rendered";
      inside.replaceChildren(...message.parts.map((each) => part(each, as ? markdown : prose)));
    };
    draw(message.role !== "tool");
    return el("div", { class: `msg ${["system", "developer", "user", "assistant", "tool"].includes(message.role) ? message.role : ""}` },
      el("div", { class: "role" }, message.role, message.name ? el("span", { class: "muted" }, message.name) : null, el("span", { class: "does" }, button, copyButton(() => spoken(message.parts)))), inside);
  });
}
function value(shown) {
  if (shown === undefined) return el("div", { class: "dots" }, "Nothing was captured.");
  if (typeof shown === "string") return el("div", {}, folded(shown, prose, 6000));
  return el("div", { class: "json" }, jsonTree(shown));
}
function section(name, shown) {
  const text = () => typeof shown === "string" ? shown : JSON.stringify(shown, null, 2);
  return [el("div", { class: "h" }, name, shown === undefined ? null : copyButton(text)), el("div", { class: "boxed" }, value(shown))];
}
function failure(error) {
  return [el("div", { class: "fail" }, el("div", { class: "type" }, icon("error"), error.type || "Error"), el("div", { class: "prose" }, marked(error.message || ""))),
    error.stacktrace ? [el("div", { class: "h" }, "Stack trace"), folded(error.stacktrace, (text) => el("pre", { class: "block" }, marked(text)), 8000)] : null];
}
function judgement(score) {
  const said = score.kind === "reaction" ? el("span", { class: "emoji" }, score.text) : score.text ? el("b", {}, score.text) : null;
  return [el("div", {}, score.name), el("div", {}, said, el("span", { class: "muted", title: score.at }, [score.kind === "score" || score.kind === score.name ? "" : score.kind, score.by].filter(Boolean).map((word) => ` ${word}`)),
    score.reason ? el("div", { class: "prose" }, marked(score.reason)) : null)];
}
// Where somebody says something of this call; what is typed stays until it is kept.
function saying(say) {
  const { draft } = say, key = (event) => { event.stopPropagation(); if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) note(); };
  const author = el("input", { class: "author", "aria-label": "Author", placeholder: "Your name", maxlength: "200", on: { input: (event) => { draft.author = event.target.value; }, keydown: (event) => event.stopPropagation() } });
  const text = el("textarea", { rows: "2", "aria-label": "Note", placeholder: "A note on this call", maxlength: "20000", on: { input: (event) => { draft.note = event.target.value; }, keydown: key } });
  author.value = draft.author; text.value = draft.note;
  const note = () => { if (text.value.trim()) say.send("note", text.value); };
  return el("div", { class: "say" }, text, el("div", { class: "bar2" }, say.thumbs(), el("label", { class: "muted" }, "as ", author), el("button", { class: "btn push", on: { click: note } }, "Add note")),
    el("div", { class: "told", role: "status" }, say.waiting || !say.failed ? say.waiting : el("span", { class: "bad" }, say.failed)));
}
function source(code) {
  return [el("div", { class: "h" }, el("span", {}, code.where), el("span", { class: "muted" }, code.version), code.source ? copyButton(() => code.source) : null),
    code.source ? el("pre", { class: "block code", style: { "counter-reset": `line ${code.line - 1}` } }, code.source.replace(/\n$/, "").split("\n").map((line) => el("span", { class: "ln" }, marked(line), "\n"))) : null];
}
function tabsOf(detail, say) {
  const tabs = [];
  if (detail.chat && detail.chat.length) tabs.push(["Chat", () => [chat(detail.chat), el("div", { class: "usage" }, detail.usageLine)]]);
  if (detail.error) tabs.push(["Error", () => failure(detail.error)]);
  if (!tabs.length) tabs.push(["Preview", () => [section("Input", detail.inputs), section("Output", detail.output)]]);
  tabs.push(["Input", () => value(detail.inputs)], ["Output", () => detail.error && detail.output === undefined ? failure(detail.error) : value(detail.output)]);
  const count = Object.keys(detail.attributes || {}).length + (detail.events || []).length + (detail.links || []).length;
  tabs.push([count ? `Attributes ${count}` : "Attributes", () => [
    Object.keys(detail.attributes || {}).length ? el("div", { class: "kv" }, Object.entries(detail.attributes).flatMap(([key, each]) => [el("div", {}, key), el("div", { class: "json" }, typeof each === "string" ? folded(each, (text) => el("span", {}, marked(text)), 600) : jsonTree(each, 1))])) : el("div", { class: "dots" }, "No attributes."),
    detail.events && detail.events.length ? [el("div", { class: "h" }, "Events"), detail.events.map((event) => el("div", { class: "json" }, el("b", {}, event.name), " ", el("span", { class: "muted" }, event.at), jsonTree(event.attributes || {}, 1)))] : null,
    detail.links && detail.links.length ? [el("div", { class: "h" }, "Links"), detail.links.map((link) => el("div", { class: "json" }, el("a", { href: link.href, on: { click: going(link.href) } }, link.text), jsonTree(link.attributes || {}, 1)))] : null]]);
  const said = (detail.scores || []).length;
  tabs.push([said ? `Scores ${said}` : "Scores", () => [said ? el("div", { class: "kv" }, detail.scores.flatMap(judgement)) : el("div", { class: "dots" }, "Nothing has been said of this call yet."), saying(say)]]);
  if (detail.code) tabs.push(["Code", () => source(detail.code)]);
  tabs.push(["Raw", () => [el("div", { style: { "margin-bottom": "8px" } }, copyButton(() => detail.raw, "Copy JSON")), el("pre", { class: "block" }, detail.raw)]]);
  return tabs;
}

// What a user chose and wrote, for when Streamlit mounts the same trace anew: the tab stays, and no word is lost.
const lasting = (globalThis.weftTrace = globalThis.weftTrace || {});

export default function ({ data, parentElement, setTriggerValue }) {
  const held = root(parentElement, "trace"), { node, state } = held;
  node.style.setProperty("--height", data.height);
  if (state.trace !== data.trace.id) Object.assign(state, { trace: data.trace.id, folded: new Set(), details: {}, current: null, query: "", tab: state.tab || null, built: false, first: false, drawn: null, sent: null, said: data.said.number, draft: null }, lasting.trace === data.trace.id ? lasting.chosen : null);
  const spans = data.spans, byId = new Map(spans.map((span) => [span.id, span]));
  state.draft = state.draft || { note: "", author: data.author };
  for (const [id, detail] of Object.entries(data.details)) if (!state.details[id] || state.details[id].stamp !== detail.stamp) { if (state.sent === id) state.sent = null; state.details[id] = detail; }
  if (data.said.number !== state.said) { // it is in the journal, or why not is told; words that could not be kept come back
    state.said = data.said.number;
    if (state.sent) { state.kept = !data.said.failed; state.drawn = null; }
    if (data.said.failed && state.sent) { if (state.sending.kind === "note") state.draft.note = state.sending.text; state.sent = null; }
  }
  if (!state.current || !byId.has(state.current)) {
    state.current = byId.has(data.selected) ? data.selected : spans.length ? spans[0].id : null;
    state.instead = data.selected && state.current !== data.selected ? { id: state.current, words: `There is no span ${data.selected} in this trace (it may wait to be ingested); this is its root.` } : null;
  }

  const parts = state.built ? state.parts : build();
  function build() {
    const made = { title: el("div", { class: "title" }), rows: el("div", { class: "rows" }), ticks: el("div", { class: "ticks" }), matches: el("span", { class: "hint" }),
      what: el("div", { class: "what" }), meta: el("div", { class: "meta" }), lost: el("div", { class: "lost" }), tabs: el("div", { class: "tabs", role: "tablist" }), content: el("div", { class: "content" }) };
    made.list = el("div", { class: "list", tabindex: "0", role: "tree", "aria-label": "Spans", on: { scroll: () => state.draw() } }, made.rows);
    made.find = el("input", { type: "search", placeholder: "Find a span", "aria-label": "Find a span", on: { input: (event) => { state.query = event.target.value; state.filter(); }, keydown: (event) => {
      if (event.key === "Escape") { event.target.value = ""; state.query = ""; state.filter(); made.list.focus(); }
      if (event.key === "Enter") { event.preventDefault(); state.hop(1, (span) => state.hits.has(span.id)); } event.stopPropagation(); } } });
    const divider = el("div", { class: "divider", role: "separator", "aria-label": "Resize" });
    divider.addEventListener("pointerdown", (event) => { divider.setPointerCapture(event.pointerId); state.dragging = true; });
    divider.addEventListener("pointermove", (event) => { if (!state.dragging) return; const box = panes.getBoundingClientRect();
      panes.style.setProperty("--split", `${Math.max(25, Math.min(75, ((event.clientX - box.left) / box.width) * 100))}%`); state.draw(); });
    divider.addEventListener("pointerup", () => { state.dragging = false; });
    const panes = el("div", { class: "panes" },
      el("div", { class: "pane" }, el("div", { class: "bar" }, made.find, made.matches, el("span", { class: "hint push" }, el("kbd", {}, "/"), " search  ", el("kbd", {}, "e"), " next error  ", el("kbd", {}, "← →"), " fold")),
        el("div", { class: "ruler" }, el("span", {}), made.ticks, el("span", {})), made.list),
      divider, el("div", { class: "pane" }, made.what, made.meta, made.lost, made.tabs, made.content));
    node.replaceChildren(made.title, panes);
    new ResizeObserver(() => state.draw && state.draw()).observe(made.list);
    Object.assign(state, { built: true, parts: made });
    return made;
  }

  const visible = () => {
    const out = [];
    let hiddenBelow = Infinity;
    for (const span of spans) {
      if (span.depth > hiddenBelow) continue;
      hiddenBelow = state.folded.has(span.id) ? span.depth : Infinity;
      out.push(span);
    }
    return out;
  };
  const drawRow = (span, at) => {
    const total = data.trace.total || 1, guides = [];
    for (let level = 0; level < Math.min(span.depth, 40); level++) guides.push(el("span", { class: "guide", style: { left: `${13 + indent(level)}px` } }));
    const classes = ["sp", span.critical && "critical", span.status === "error" && "bad", span.status === "running" && "open", span.id === state.current && "current", state.query && !state.hits.has(span.id) && "dim"].filter(Boolean).join(" ");
    return el("div", { class: classes, role: "treeitem", "aria-level": span.depth + 1, "aria-selected": String(span.id === state.current), "aria-expanded": span.kids ? String(!state.folded.has(span.id)) : null, "data-id": span.id, style: { top: `${at * ROW}px`, "--hue": hue(span.kind) }, on: { click: () => select(span.id) } },
      el("div", { class: "who", style: { "--indent": `${indent(span.depth)}px` }, title: `${span.kind} · ${span.name}` }, guides,
        span.kids ? el("button", { class: "fold", tabindex: "-1", "aria-label": "fold", on: { click: (event) => { event.stopPropagation(); fold(span.id); } } }, icon(state.folded.has(span.id) ? "right" : "down")) : el("span", { class: "fold" }),
        kindIcon(span.kind), el("span", { class: "label" }, span.name), span.status === "error" ? el("span", { class: "err" }, icon("error")) : null,
        span.status === "interrupted" || span.status === "cancelled" ? el("span", { class: "note" }, span.status) : null, span.kids && state.folded.has(span.id) ? el("span", { class: "note" }, `+${span.below}`) : null),
      el("div", { class: "lane" }, el("div", { class: "mark", style: { left: `${(span.start / total) * 100}%`, width: `${Math.max(0, Math.min(1, span.length / total)) * 100}%` } })),
      el("div", { class: "time", title: span.note }, span.time));
  };
  state.draw = () => {
    const shown = state.shown, top = Math.max(0, Math.floor(parts.list.scrollTop / ROW) - 8), last = Math.min(shown.length, top + Math.ceil((parts.list.clientHeight || 600) / ROW) + 16);
    parts.rows.style.height = `${shown.length * ROW}px`;
    parts.rows.replaceChildren(...shown.slice(top, last).map((span, at) => drawRow(span, top + at)));
  };
  state.filter = () => {
    const query = state.query.trim().toLowerCase();
    state.hits = new Set(query ? spans.filter((span) => `${span.name} ${span.kind} ${span.model || ""}`.toLowerCase().includes(query)).map((span) => span.id) : []);
    parts.matches.textContent = query ? `${state.hits.size} found` : "";
    if (query && state.hits.size && !state.hits.has(state.current)) state.hop(1, (span) => state.hits.has(span.id)); else state.draw();
  };
  const refold = () => { state.shown = visible(); state.draw(); };
  const fold = (id) => { state.folded.has(id) ? state.folded.delete(id) : state.folded.add(id); refold(); };
  const reveal = () => {
    // Unfold whatever hides the cursor, then bring it into view.
    for (let span = byId.get(state.current); span && span.parent; span = byId.get(span.parent)) state.folded.delete(span.parent);
    state.shown = visible();
    const at = state.shown.findIndex((span) => span.id === state.current), list = parts.list;
    if (at * ROW < list.scrollTop) list.scrollTop = at * ROW;
    else if ((at + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (at + 1) * ROW - list.clientHeight;
    state.draw();
  };
  const select = (id) => {
    if (!id) return;
    state.current = id;
    reveal();
    detail();
    clearTimeout(state.asking);
    // The cursor may run over many spans: only where it rests is named in the URL and, if need be, asked for.
    state.asking = setTimeout(() => {
      const address = new URL(window.location.href);
      if ((address.searchParams.get("id") || "").trim().toLowerCase() !== data.trace.id) return; // somebody has gone on by a link
      address.searchParams.set("span", id);
      history.replaceState(history.state, "", address);
      if (!state.details[id]) setTriggerValue("select", id);
    }, 60);
  };
  state.hop = (step, wanted) => {
    const from = spans.findIndex((span) => span.id === state.current), n = spans.length;
    for (let i = 1; i <= n; i++) { const span = spans[(from + step * i + n * i) % n]; if (span && wanted(span)) return select(span.id); }
    return state.draw();
  };
  // Said of the call under the cursor; it shows once it is in the store, a moment later.
  const send = (kind, text) => {
    Object.assign(state, { sent: state.current, kept: false });
    if (kind === "note") state.draft.note = "";
    state.sending = { kind, text };
    setTriggerValue("say", { span_id: state.current, kind, text, author: state.draft.author });
    redraw();
  };
  const mine = () => ((state.details[state.current] || {}).scores || []).find((score) => score.kind === "reaction" && score.author === state.draft.author.trim());
  const thumbs = () => [["👍", "Good"], ["👎", "Bad"]].map(([text, word], at) => {
    const waits = state.sent === state.current && state.sending.kind === "reaction" ? state.sending.text : (mine() || {}).text;
    return el("button", { class: `mini${at ? " down" : ""}${waits === text ? " on" : ""}`, title: word, "aria-label": word, "aria-pressed": String(waits === text), on: { click: () => send("reaction", text) } }, icon("up"));
  });
  const turn = (name) => {
    state.tab = name.split(" ")[0];
    Object.assign(lasting, { trace: data.trace.id, chosen: { tab: state.tab, draft: state.draft } });
  };
  const redraw = () => { state.drawn = null; detail(); };
  const detail = () => {
    const span = byId.get(state.current), held = span && state.details[span.id];
    if (!span) { parts.content.replaceChildren(el("div", { class: "dots" }, "No spans have arrived yet.")); return; }
    parts.what.replaceChildren(kindIcon(span.kind), el("span", { class: "label clip", title: span.name }, span.name), el("span", { class: "kind" }, span.kind), el("span", { class: "push" }, held ? [thumbs(), el("button", { class: "mini", title: "Write a note", "aria-label": "Write a note", on: { click: () => { turn("Scores"); open("Scores"); const box = parts.content.querySelector("textarea"); if (box) box.focus(); } } }, icon("note"))] : null, status(span.status)));
    parts.meta.replaceChildren(...span.facts.map(([name, text, why]) => name === "!" ? el("span", { class: "flag", title: why }, icon("alert"), text) : el("span", { title: why }, name ? `${name} ` : "", el("b", {}, text))),
      ...((held && held.tags) || []).map((tag) => el("span", { class: "chip", title: "Tag" }, tag)));
    parts.lost.replaceChildren(...[...(state.instead && state.instead.id === span.id ? [state.instead.words] : []), ...((held && held.lost) || [])].map((text) => el("div", {}, icon("alert"), text)));
    if (!held) { parts.tabs.replaceChildren(); parts.content.replaceChildren(el("div", { class: "dots" }, "Loading…")); return; }
    const same = state.drawn && state.drawn.id === span.id && state.drawn.stamp === held.stamp;
    if (same) return;
    state.drawn = { id: span.id, stamp: held.stamp };
    const say = { draft: state.draft, send, thumbs, waiting: state.sent === span.id ? (state.kept ? "Kept; it shows here once it is ingested." : "Saving…") : "", failed: data.said.failed };
    const tabs = tabsOf(held, say), first = tabs.find(([name]) => name.split(" ")[0] === state.tab) ?? (held.error && !(held.chat && held.chat.length) ? tabs.find(([name]) => name === "Error") : tabs[0]);
    const draw = (chosen) => {
      parts.tabs.replaceChildren(...tabs.map(([name, render]) => el("button", { role: "tab", class: name === "Error" ? "bad" : "", "aria-selected": String(name === chosen[0]), on: { click: () => { turn(name); draw([name, render]); } } }, name)));
      parts.content.replaceChildren(); add(parts.content, [chosen[1]()]); parts.content.scrollTop = 0;
    };
    state.open = (wanted) => { const found = tabs.find(([name]) => name.split(" ")[0] === wanted); if (found) draw(found); };
    draw(first);
  };
  const open = (wanted) => state.open && state.open(wanted);
  const header = () => {
    const trace = data.trace;
    const errors = spans.filter((span) => span.status === "error").length;
    parts.title.replaceChildren(el("h1", { title: trace.name }, trace.name), status(trace.status), ...trace.tags.map((tag) => el("span", { class: "chip", title: "Tag" }, tag)), el("div", { class: "facts" }, trace.facts.map(([text, name, why, href]) => el("span", { title: why }, href ? el("a", { href, on: { click: going(href) } }, text) : el("b", {}, text), name ? ` ${name}` : ""))),
      el("div", { class: "push" }, errors ? el("button", { class: "btn", on: { click: () => state.hop(1, (span) => span.status === "error") } }, icon("error"), `${errors} ${errors === 1 ? "error" : "errors"}`) : null,
        copyButton(() => trace.id, "Copy id"),
        trace.newer ? el("a", { class: "btn", href: trace.newer, title: "The trace before this one in the list", on: { click: going(trace.newer) } }, "‹ newer") : null,
        trace.older ? el("a", { class: "btn", href: trace.older, title: "The next trace in the list", on: { click: going(trace.older) } }, "older ›") : null));
    parts.ticks.replaceChildren(...trace.ticks.map(([at, text]) => el("span", { style: { left: `${at * 100}%` } }, text)));
  };
  keys(held, (event) => {
    if (typing()) return;
    const span = byId.get(state.current), at = state.shown.findIndex((each) => each.id === state.current);
    if (event.key === "/") parts.find.focus();
    else if (event.key === "ArrowDown" || event.key === "j") select((state.shown[at + 1] || {}).id);
    else if (event.key === "ArrowUp" || event.key === "k") select((state.shown[at - 1] || {}).id);
    else if (event.key === "ArrowRight" && span) state.folded.has(span.id) ? fold(span.id) : span.kids && select((state.shown[at + 1] || {}).id);
    else if (event.key === "ArrowLeft" && span) span.kids && !state.folded.has(span.id) ? fold(span.id) : select(span.parent);
    else if (event.key === "e") state.hop(1, (each) => each.status === "error");
    else if (event.key === "E") state.hop(-1, (each) => each.status === "error");
    else if (event.key === "Home") select((state.shown[0] || {}).id);
    else if (event.key === "End") select((state.shown[state.shown.length - 1] || {}).id);
    else if (event.key === "Escape") history.length > 1 ? history.back() : go(data.back);
    else return;
    event.preventDefault();
  });
  header();
  state.hits = state.hits || new Set();
  state.shown = visible();
  state.query ? state.filter() : state.first ? state.draw() : reveal();
  state.first = true;
  detail();
}
