"""The Streamlit app: traces, evaluations, runs. Reads through `weft.tracking.reader`, writes nothing."""
