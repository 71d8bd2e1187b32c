"""One file a screen; `weft.ui.app` routes to them."""
