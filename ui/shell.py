"""The HTML page that carries the app: Streamlit's own, with our name, icon, style, and the first screen sent ahead.

Without it a visitor waits twice: Streamlit's page looks for its server under the screen's path first, and fetches the
parts of a screen only once the first message names them.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

from weft.ui import theme

AHEAD = ("BidiComponent", "Html", "Selectbox", "TextInput", "Pagination")
"""Streamlit's parts that the first screens are made of, by the first word of their file."""
FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')


def shell(static: Path) -> str:
    """The page.

    Args:
        static: Streamlit's folder of files for the browser.
    """
    page = (static / "index.html").read_text("utf-8")
    icon = base64.b64encode((FOLDER / "icon.svg").read_bytes()).decode()
    page = page.replace("<title>Streamlit</title>", "<title>weft</title>")
    page = re.sub(
        r"<link rel=\"shortcut icon\"[^>]*>", f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">', page
    )
    script = (FOLDER / "shell.js").read_text("utf-8")
    ahead = [name for name in _parts(static / "static" / "js") if name not in page]
    links = "".join(f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in ahead)
    return page.replace("</head>", f"<style>{style()}</style><script>{script}</script>{links}</head>", 1)


def style() -> str:
    """For what is no component of ours."""
    return theme.variables() + (FOLDER / "frame.css").read_text("utf-8")


def _parts(folder: Path) -> list[str]:
    """`AHEAD` and whatever they import, each once."""
    found: dict[str, None] = {}
    pending = [path.name for name in AHEAD for path in sorted(folder.glob(f"{name}.*.js"))]
    while pending:
        name = pending.pop(0)
        if name not in found:
            found[name] = None
            pending += _IMPORT.findall((folder / name).read_text("utf-8", errors="replace"))
    return list(found)
