"""An evaluation: a dataset, a model, scorers. Run it with Python, or: weft eval run examples/evaluate.py"""

import keyword
from typing import Any

import weft

ROWS = [
    {"word": "yield", "expected": True},
    {"word": "lambda", "expected": True},
    {"word": "print", "expected": False},
    {"word": "match", "expected": False},
]


@weft.op
def is_keyword(word: str) -> dict[str, Any]:
    """The model: a function, an op, or anything with `predict`."""
    return {"answer": keyword.iskeyword(word), "soft": keyword.issoftkeyword(word)}


def right(output: dict[str, Any], expected: bool) -> bool:
    """A scorer asks by name for the output, for columns of the row, for latency_s, cost_usd and more."""
    return bool(output["answer"] == expected)


def quick(latency_s: float) -> float:
    return latency_s * 1000


keywords = weft.Evaluation(weft.Dataset(ROWS, name="keywords"), [right, quick], name="keywords", model=is_keyword)

if __name__ == "__main__":
    result = keywords.run()
    print(result)
