"""The script that Streamlit runs for every visitor and every change. All it does is in `frame`."""

from weft.ui import frame

frame.run()
