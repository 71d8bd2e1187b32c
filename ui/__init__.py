"""The Streamlit app: traces, evaluations, runs. Reads through `weft.tracking.store.reader`, writes nothing."""
