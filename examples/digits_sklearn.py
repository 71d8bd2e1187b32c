"""scikit-learn on its digits as a table of 64 pixels: what was tuned, how good it is, and in which ways it is wrong.

pip install "weft[tables]" scikit-learn
"""

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import weft
from weft.integrations.sklearn import plot_classifier, plot_learning_curve

MODELS = {
    "forest": RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=1),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=0)),
}

if __name__ == "__main__":
    pixels, digits = load_digits(return_X_y=True)
    train_pixels, test_pixels, train_digits, test_digits = train_test_split(pixels, digits, random_state=0)
    names = [f"{row}-{column}" for row in range(8) for column in range(8)]
    labels = [str(digit) for digit in range(10)]

    for name, model in MODELS.items():
        with (
            weft.init(project="digits", name=name, group="sklearn", job_type="train") as run,
            TemporaryDirectory() as at,
        ):
            model.fit(train_pixels, train_digits)
            plot_classifier(
                model,
                train_pixels,
                test_pixels,
                train_digits,
                test_digits,
                labels=labels,
                model_name=name,
                feature_names=names,
            )
            plot_learning_curve(model, train_pixels, train_digits, cv=3, train_sizes=[0.2, 0.6, 1.0])
            file = Path(at) / "model.pickle"
            file.write_bytes(pickle.dumps(model))
            run.log_model(file, name=f"digits-{name}")
            print(f"{name}: accuracy {run.summary['accuracy']:.3f}")
