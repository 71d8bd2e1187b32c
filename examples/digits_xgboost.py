"""XGBoost on scikit-learn's digits as a table of 64 pixels: metrics by round, feature importance, the model itself.

pip install "weft[tables]" xgboost scikit-learn
"""

import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import weft
from weft.integrations.xgboost import WeftCallback

CONFIG = {
    "objective": "multi:softprob",
    "num_class": 10,
    "max_depth": 4,
    "eta": 0.3,
    "eval_metric": ["mlogloss", "merror"],
    "nthread": 2,
    "seed": 0,
}

if __name__ == "__main__":
    pixels, digits = load_digits(return_X_y=True)
    train_pixels, test_pixels, train_digits, test_digits = train_test_split(pixels, digits, random_state=0)
    names = [f"{row}-{column}" for row in range(8) for column in range(8)]
    train = xgboost.DMatrix(train_pixels, train_digits, feature_names=names)
    test = xgboost.DMatrix(test_pixels, test_digits, feature_names=names)

    with weft.init(project="digits", name="xgboost", job_type="train", config=CONFIG) as run:
        booster = xgboost.train(
            CONFIG,
            train,
            num_boost_round=60,
            evals=[(train, "train"), (test, "val")],
            early_stopping_rounds=10,
            verbose_eval=False,
            callbacks=[WeftCallback(log_model=True)],
        )
        probabilities = booster.predict(test)
        told = probabilities.argmax(axis=1)
        run.log(
            {
                "accuracy": (told == test_digits).mean(),
                "confusion": weft.plot.confusion_matrix(y_true=test_digits, preds=told),
                "roc": weft.plot.roc_curve(test_digits, probabilities),
            }
        )
        print(f"best round {booster.best_iteration}, accuracy {run.summary['accuracy']:.3f}")
