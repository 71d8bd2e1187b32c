"""wandb's names of the integrations, for scripts whose `wandb.integration` became `weft.integration`.

What they are is in `weft.integrations`; each module here imports its library, no other.
"""
