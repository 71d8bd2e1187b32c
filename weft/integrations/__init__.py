"""What training libraries report, recorded: one module a library, each importing its own and no other."""
