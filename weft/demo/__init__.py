"""Ask Python: the agent, its questions and its loopback provider behind `weft demo`."""
