"""One file a library, each with `install()` and `uninstall()`."""
