"""Users' markdown, made fit to show: no raw HTML (Streamlit escapes it), and no picture from elsewhere. Pure.

A picture would have the reader's browser ask its server, which then knows who reads; so `![` never reaches the renderer
outside of code, and what was a picture is a link.
"""

from __future__ import annotations

import re

from weft.ui.values import visible

LONGEST = 100_000
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def markdown(text: str) -> str:
    """It, for `st.markdown` without HTML."""
    lines, fence = list[str](), ""
    for line in visible(text[:LONGEST]).split("\n"):
        found = _FENCE.fullmatch(line)
        if fence:
            if found and found[1].startswith(fence) and not found[2].strip():
                fence = ""
        elif found and not (found[1][0] == "`" and "`" in found[2]):
            fence = found[1]
        else:
            line = _without_pictures(line)
        lines.append(line)
    return "\n".join(lines)


def _without_pictures(line: str) -> str:
    """A line outside of blocks of code. Code within it stays, as far as it ends on the same line."""
    told, at = "", 0
    for found in _CODE.finditer(line):
        told += line[at : found.start()].replace("![", "&#33;[") + found[0]
        at = found.end()
    return told + line[at:].replace("![", "&#33;[")
