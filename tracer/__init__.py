"""The recorder: `@op`, spans and their context, costs, tokens, integrations. Stands on `weft.tracking` alone."""
