"""What wandb raises ValueError for, a script may catch as that here."""

from __future__ import annotations

from pathlib import Path

import pytest

import weft
from weft.tracking import errors


@pytest.mark.parametrize("kind", [errors.UsageError, errors.ConfigError, errors.NotFoundError])
def test_a_wrong_call_is_a_value_error(kind: type[errors.Error]) -> None:
    assert issubclass(kind, errors.Error)
    assert issubclass(kind, ValueError)


def test_a_script_that_catches_value_errors_goes_on(home: Path) -> None:
    with pytest.raises(ValueError, match="mode"):
        weft.init(mode="sometimes")
    with weft.init(project="p", config={"lr": 1}) as run:
        with pytest.raises(ValueError, match="allow_val_change"):
            run.config.lr = 2
        with pytest.raises(ValueError, match="gone"):
            run.use_artifact("gone:latest")
    with pytest.raises(ValueError, match="gone"):
        weft.Api().run("p/gone")
