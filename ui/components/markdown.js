// What models write, as elements: headings, lists, quotes, tables, code, bold, struck. Nothing is fetched and nothing can be
// clicked: HTML stays text, links and pictures show their address. Less than CommonMark on purpose (no `_`, which names use).
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/, HEADING = /^ {0,3}(#{1,6}) +(.*?)(?: +#+)?$/, RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const QUOTE = /^ {0,3}> ?/, ITEM = /^( *)([-*+]|\d{1,9}[.)])( +|$)/, DELIMITERS = /^[ |:-]*-[ |:-]*$/;
const LINK = /(!?)\[([^[\]\n]{0,500})\]\(([^()\s]{1,2000})(?: +"[^"\n]{0,500}")?\)/y;
const MARKS = ["**", "~~", "*"], WORD = /[\p{L}\p{N}_]/u, DEEPEST = 8;

function inline(text, depth = 0) {
  const out = [], none = {};
  let plain = "", at = 0;
  const push = (node) => { if (plain) out.push(marked(plain)); plain = ""; out.push(node); };
  // Where a mark ends; once one has no end it has none further on either, so a long text costs one look.
  const ending = (mark, from) => {
    for (let end = none[mark] ? -1 : text.indexOf(mark, from + 1); end >= 0; end = text.indexOf(mark, end)) {
      let after = end + mark.length;
      while (mark[0] !== "~" && text[after] === mark[0]) after += 1;
      const fits = mark[0] === "`" ? after === end + mark.length : after - end !== (mark === "*" ? 2 : 1) && /\S/.test(text[end - 1]) && !(mark === "*" && WORD.test(text[after] || ""));
      if (fits) return mark[0] === "`" ? end : after - mark.length;
      end = after;
    }
    none[mark] = true;
    return -1;
  };
  while (at < text.length) {
    const char = text[at];
    if (char === "\\" && "\\`*~".includes(text[at + 1] || " ")) { plain += text[at + 1]; at += 2; continue; }
    if (char === "`") {
      const ticks = /^`+/.exec(text.slice(at, at + 64))[0], end = ending(ticks, at + ticks.length - 1);
      if (end < 0) plain += ticks; else push(el("code", {}, marked(text.slice(at + ticks.length, end).replace(/^ (.+) $/s, "$1"))));
      at = end < 0 ? at + ticks.length : end + ticks.length;
      continue;
    }
    const mark = depth < DEEPEST && MARKS.find((each) => text.startsWith(each, at));
    if (mark && /\S/.test(text[at + mark.length] || " ") && !(mark === "*" && WORD.test(text[at - 1] || ""))) {
      const end = ending(mark, at + mark.length);
      if (end > 0) { push(el({ "**": "strong", "~~": "s", "*": "em" }[mark], {}, inline(text.slice(at + mark.length, end), depth + 1))); at = end + mark.length; continue; }
    }
    if (char === "[" || (char === "!" && text[at + 1] === "[")) {
      LINK.lastIndex = at;
      const found = LINK.exec(text);
      if (found) {
        push(el("span", { class: "md-link" }, found[1] ? "picture " : "", inline(found[2], DEEPEST), found[2] === found[3] ? null : el("span", { class: "muted" }, ` (${found[3]})`)));
        at = LINK.lastIndex;
        continue;
      }
    }
    const run = mark || char;
    plain += run; at += run.length;
  }
  if (plain) out.push(marked(plain));
  return out;
}
function cellsOf(line) { return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|")); }
function tableOf(rows) {
  const sides = cellsOf(rows[1]).map((cell) => cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left");
  const row = (line, tag) => { const cells = cellsOf(line); return el("tr", {}, sides.map((side, at) => el(tag, { style: { "text-align": side } }, inline(cells[at] || "")))); };
  return el("div", { class: "md-wide" }, el("table", {}, el("thead", {}, row(rows[0], "th")), el("tbody", {}, rows.slice(2).map((line) => row(line, "td")))));
}
function isTable(lines, at) {
  const next = lines[at + 1] || "";
  return lines[at].includes("|") && next.length < 2000 && DELIMITERS.test(next) && cellsOf(lines[at]).length === cellsOf(next).length;
}
function opens(line) { return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line); }
// One list: its items with whatever is indented below them. Returns it and the line after.
function listOf(lines, start, depth) {
  const [, margin, sign] = ITEM.exec(lines[start]), ordered = /\d/.test(sign), items = [];
  let at = start;
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (!found || found[1].length > margin.length + 1 || /\d/.test(found[2]) !== ordered || RULE.test(lines[at])) break;
    const width = found[0].length - (found[3].length > 4 ? found[3].length - 1 : 0), held = [lines[at].slice(found[0].length)];
    for (at += 1; at < lines.length; at += 1) {
      const line = lines[at], indented = line.length - line.trimStart().length;
      if (line.trim() && indented <= found[1].length && (opens(line) || !lines[at - 1].trim())) break;
      if (line.trim() && indented <= margin.length + 1 && ITEM.test(line)) break;
      held.push(line.slice(Math.min(width, indented)));
    }
    items.push(el("li", {}, blocks(held, depth + 1)));
  }
  return [el(ordered ? "ol" : "ul", ordered ? { start: parseInt(sign, 10) } : {}, items), at];
}
function blocks(lines, depth = 0) {
  const out = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at], fence = FENCE.exec(line), heading = HEADING.exec(line);
    if (!line.trim()) { at += 1; continue; }
    if (depth >= DEEPEST) { out.push(el("p", {}, marked(lines.slice(at).join("\n")))); break; }
    if (fence) {
      const held = [];
      for (at += 1; at < lines.length && !(lines[at].trim().startsWith(fence[1]) && !lines[at].trim().slice(fence[1].length).replaceAll(fence[1][0], "")); at += 1) held.push(lines[at]);
      at += 1;
      out.push(el("pre", {}, marked(held.join("\n"))));
    } else if (heading) { out.push(el("div", { class: "md-h", role: "heading", "aria-level": Math.min(6, heading[1].length + 2) }, inline(heading[2]))); at += 1; }
    else if (RULE.test(line)) { out.push(el("hr", {})); at += 1; }
    else if (QUOTE.test(line)) {
      const held = [];
      for (; at < lines.length && QUOTE.test(lines[at]); at += 1) held.push(lines[at].replace(QUOTE, ""));
      out.push(el("blockquote", {}, blocks(held, depth + 1)));
    } else if (ITEM.test(line)) { const [list, next] = listOf(lines, at, depth); out.push(list); at = next; }
    else if (isTable(lines, at)) {
      const from = at;
      for (at += 2; at < lines.length && lines[at].includes("|") && lines[at].trim(); ) at += 1;
      out.push(tableOf(lines.slice(from, at)));
    } else {
      const from = at;
      for (at += 1; at < lines.length && lines[at].trim() && !opens(lines[at]) && !isTable(lines, at); ) at += 1;
      out.push(el("p", {}, inline(lines.slice(from, at).join("\n"))));
    }
  }
  return out;
}
function markdown(text) { return el("div", { class: "md" }, blocks(String(text).split(/\r?\n/))); }
