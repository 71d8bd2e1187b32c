"""SQL over the store says what the readers say, reads only what it needs, and reads nothing else."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.settings import Settings
from weft.tracking.sql import views
from weft.tracking.store.reader import Reader
from weft.tracking.tables import Table, query

pytest.importorskip("duckdb")


@pytest.fixture
def api(home: Path) -> Iterator[weft.Api]:
    """A store with what `record` records."""
    record()
    with weft.Api() as opened:
        yield opened


def record() -> None:
    """Two runs with metrics and a table each, traced calls, an artifact that one made and the other used."""

    @weft.op
    def double(x: int) -> int:
        return 2 * x

    for name, lr in (("first", 0.1), ("second", math.nan)):
        with weft.init(project="digits", id=name, config={"lr": lr, "net": {"width": 64}}) as run:
            for step in range(5):
                run.log({"loss": 1 / (step + 1), "acc": step / 10})
            assert double(4) == 8
            run.log({"preds": Table(columns=["row", "guess"], data=[[1, name], [2, "b"]])})
            if name == "first":
                made = weft.Artifact("model", type="model")
                made.add_bytes(b"weights", "weights.bin")
                run.log_artifact(made)
            else:
                weft.flush()
                run.use_artifact("model:latest")
    weft.flush()


def test_both_databases_answer_alike(store_url: str, tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "home", store_url=store_url, strict=True))
    record()
    with weft.Api() as api:
        assert api._store.path is None or store_url.startswith("sqlite")
        for name, rows in {
            "runs": 2, "metrics": 20, "traces": 2, "spans": 2, "versions": 4, "lineage": 4, "tables": 2, "scores": 0,
        }.items():  # fmt: skip
            assert len(api.sql(f"select * from {name}")) == rows, name
        assert api.sql('select guess from "digits/second/preds" order by row').rows == [("second",), ("b",)]
        assert api.sql("select inputs->>'x' from spans where run_id = 'first' and output = '8'").rows == [("4",)]
        assert api.sql("select sum(value) from metrics where key = 'acc' and step > 2").rows[0][0] == pytest.approx(1.4)


def test_every_view_has_its_columns_and_none_needs_quotes(api: weft.Api) -> None:
    for name, view in views.VIEWS.items():
        found = api.sql(f"select * from {name}")
        assert found.columns == list(view.columns), name
        plainly = [f"{column} is not null or {name}.{column} is null" for column in view.columns]
        assert len(api.sql(f"select {', '.join(view.columns)} from {name} where {' or '.join(plainly)}")) == len(found)


def test_metrics_are_all_there(api: weft.Api) -> None:
    found = api.sql("select run_id, key, count(*) as n, max(value) as top from metrics group by all order by all")
    assert [tuple(row) for row in found.rows] == [
        ("first", "acc", 5, 0.4), ("first", "loss", 5, 1.0), ("second", "acc", 5, 0.4), ("second", "loss", 5, 1.0),
    ]  # fmt: skip
    assert found.rows[0]["top"] == 0.4
    assert found[0][1] == "acc"


FILTERS = [
    ("run_id = 'first' and key = 'loss' and step > 2", [3, 4]),
    ("key in ('loss', 'nothing') and run_id = 'first' and value < 0.3", [3, 4]),
    ("run_id = 'first' and key = 'loss' and (step = 0 or value < 0.25)", [0, 4]),
    ("run_id = 'first' and key = 'loss' and value is null", []),
    ("run_id = 'first' and key = 'loss' and not (step < 4)", [4]),
    ("run_id = 'first' and key = 'loss' and logged is not null and step in (1, 2)", [1, 2]),
    ("run_id = 'first' and key = 'step'", []),
]


def test_a_filter_that_is_handed_down_keeps_exactly_its_rows(api: weft.Api) -> None:
    for where, steps in FILTERS:
        assert [row[0] for row in api.sql(f"select step from metrics where {where} order by step")] == steps, where


def test_only_what_a_query_names_is_read(api: weft.Api, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    for name, view in views.VIEWS.items():
        monkeypatch.setitem(
            views.VIEWS,  # type: ignore[arg-type]
            name,
            views.View(
                view.about,
                view.columns,
                lambda asked, wanted, kinds, name=name, load=view.load: (
                    read.append((name, wanted.columns)),
                    load(asked, wanted, kinds),
                )[1],
            ),
        )

    api.sql("select name from spans s where exists (select 1 from runs where run_id = s.run_id)")

    assert sorted({name for name, _ in read}) == ["runs", "spans"]
    assert all(set(columns) <= {"name", "run_id"} for _, columns in read)


def test_json_is_read_by_arrows_and_nan_is_said(api: weft.Api) -> None:
    found = api.sql("select (config->>'lr')::double as lr, config->>'$.net.width' as w from runs order by started")
    assert found.rows[0] == (0.1, "64")
    assert math.isnan(found.rows[1]["lr"])


def test_times_are_utc_and_ns_beside(api: weft.Api) -> None:
    row = api.sql("select started, started_ns, ended - started as took from runs limit 1").rows[0]
    assert row["started"].utcoffset() == datetime.timedelta(0)
    assert abs(row["started"].timestamp() - row["started_ns"] / 1e9) < 1e-5


def test_spans_come_with_what_they_were_given_and_said(api: weft.Api) -> None:
    found = api.sql("select name, inputs->>'x' as x, output, run_id from spans where output = '8' order by started_ns")
    assert [tuple(row) for row in found] == [("double", "4", "8", "first"), ("double", "4", "8", "second")]
    assert api.sql("select count(*) from spans where output = '9' and name = 'double'").rows == [(0,)]
    assert api.sql("select span_count from traces").rows == [(1,), (1,)]


def test_money_is_decimal(api: weft.Api) -> None:
    assert api.sql("select coalesce(sum(cost_usd), 0) as usd from traces").rows[0]["usd"] == Decimal(0)


def test_lineage_says_who_made_and_who_used(api: weft.Api) -> None:
    found = api.sql("select role, run_id, version from lineage where artifact = 'model' order by role").rows
    assert found == [("made", "first", 0), ("used", "second", 0)]


def test_the_registry_is_views_and_leads_back_to_the_runs(store_url: str, tmp_path: Path) -> None:
    """What a linked version's makers logged, and who put it there: on both databases."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", store_url=store_url, strict=True))
    record()
    with weft.init(project="elsewhere", id="first") as run:  # a run of the same id, in another project
        run.log({"acc": 0.99})
    weft.link_artifact("digits/model:v0", "classifier", aliases=["staging"])
    weft.promote("registry:classifier:staging", to="production", by="ana")
    with weft.Api() as api:
        found = api.sql("""
            select l.path, l.number, l.aliases, max(m.value) as best
            from links l
            join lineage g using (project, artifact, version)
            join metrics m on m.project = g.run_project and m.run_id = g.run_id
            where g.role = 'made' and m.key = 'acc' and list_contains(l.aliases, 'production')
            group by all
        """)
        assert found.rows == [("model/classifier", 0, ["latest", "production", "staging"], 0.4)]
        held = api.sql("select registry, collection, links, type, protected from collections").rows
        assert held == [("model", "classifier", 1, "model", [])]
        done = api.sql("""
            select action, e.author, artifact, version, number
            from registry_events e join collections using (path) where action = 'promoted' order by done
        """)
        assert done.rows == [("promoted", "ana", "model", 0, 0)]
        made = api.sql("""
            select v.producer_project, v.producer_run
            from versions v join links l on (v.project, v.name, v.digest) = (l.project, l.artifact, l.digest)
        """)
        assert made.rows == [("digits", "first")]


def test_scores_of_an_evaluation_stand_beside_the_calls_that_they_judge(home: Path) -> None:
    @weft.op(kind="llm")
    def answer(digit: int) -> int:
        return digit if digit < 3 else 0

    def right(output: int, expected: int) -> bool:
        return output == expected

    weft.Evaluation([{"digit": at, "expected": at} for at in range(4)], [right], name="digits").run(answer)
    with weft.Api() as api:
        found = api.sql("""
            select s.value, p.inputs->>'digit' as digit, p.output, r.job_type
            from scores s
            join spans p on p.trace_id = s.trace_id and p.kind = 'llm'
            join runs r on r.project = s.project and r.run_id = s.run_id
            where s.name = 'right' order by digit
        """)
        judged = [(1.0, "0", "0"), (1.0, "1", "1"), (1.0, "2", "2"), (0.0, "3", "0")]
        assert [tuple(row) for row in found] == [(*one, "evaluation") for one in judged]
        assert api.sql("select count(*) from scores").rows[0][0] == len(api.scores())


def test_only_the_runs_that_a_query_wants_are_asked_what_they_printed(
    api: weft.Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    console = Reader.console
    monkeypatch.setattr(Reader, "console", lambda self, uid, **more: (asked.append(uid), console(self, uid, **more))[1])
    api.sql("select text from console where project = 'digits' and run_id = 'second'")
    assert asked == [api.run("digits/second").uid]


def test_logged_tables_are_joined_across_runs(api: weft.Api) -> None:
    assert api.sql("select name, n_rows from tables order by name").rows == [
        ("digits/first/preds", 2), ("digits/second/preds", 2),
    ]  # fmt: skip
    joined = api.sql(
        'select a.row, a.guess, b.guess from "digits/first/preds" a join "digits/second/preds" b using (row) order by 1'
    )
    assert joined.columns == ["row", "guess", "guess_2"]
    assert joined.rows == [(1, "first", "second"), (2, "b", "b")]
    by_version = api.sql('select count(*) from "digits/run-first-preds:v0"')
    assert by_version.rows == [(2,)]


def test_parameters_are_values_never_sql(api: weft.Api) -> None:
    evil = "first' or '1'='1"
    assert api.sql("select count(*) from runs where run_id = ?", [evil]).rows == [(0,)]
    assert api.sql("select count(*) from runs where run_id = $id", {"id": "first"}).rows == [(1,)]


def test_results_leave_as_frames(api: weft.Api) -> None:
    pytest.importorskip("pandas")
    found = api.sql("select run_id, step from runs order by run_id")
    assert list(found.to_pandas()["run_id"]) == ["first", "second"]
    assert found.to_arrow().num_rows == 2
    assert found.to_table().rows == [["first", 4 + 1], ["second", 4 + 1]]


REFUSED = [
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_parquet('https://example.com/x.parquet')",
    "select * from glob('/etc/*')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    'select * from "/etc/passwd"',
    "attach '/tmp/other.db'",
    "copy runs to '/tmp/runs.csv'",
    "copy (select 1) to '/tmp/one.csv'",
    "export database '/tmp/all'",
    "install httpfs",
    "load httpfs",
    "pragma database_list",
    "call pragma_version()",
    "set enable_external_access = true",
    "set memory_limit = '900GB'",
    "create table x as select 1",
    "insert into runs values (1)",
    "delete from runs",
    "drop view runs",
    "update runs set name = 'x'",
    "with gone as (delete from runs returning *) select * from gone",
    "select 1; select 2",
    "select 1; attach '/tmp/other.db'",
    "checkpoint",
    "prepare p as select 1",
    "use memory",
    "",
    "   ",
    "not sql at all",
    "select nonsense from runs",
    "select \ud800",
    "select getenv('PATH')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from query_table('/etc/passwd')",
    "explain analyze copy (select 1) to '/tmp/runs.csv'",
    "describe '/etc/passwd'",
    "summarize '/etc/passwd'",
    "create temp macro m() as 1",
    "detach memory",
    "vacuum",
    "begin",
    "reset all",
]


def test_whatever_does_not_only_read_is_refused_in_one_line(api: weft.Api) -> None:
    for sql in REFUSED:
        with pytest.raises(UsageError) as refused:
            api.sql(sql)
        assert "\n" not in str(refused.value), sql
        assert "root:" not in str(refused.value), sql
    assert api.sql("select count(*) from runs").rows == [(2,)]
    assert not Path("/tmp/runs.csv").exists()


def test_python_variables_of_the_caller_are_no_tables(api: weft.Api) -> None:
    secret = pytest.importorskip("pandas").DataFrame({"a": [1]})
    assert len(secret) == 1
    with pytest.raises(UsageError, match="there is no table 'secret'"):
        api.sql("select * from secret")


def test_an_unknown_table_is_told_what_there_is(api: weft.Api) -> None:
    with pytest.raises(
        UsageError, match=re.escape("there is no table 'run' (did you mean runs?). The views are runs,")
    ):
        api.sql("select * from run")


def test_more_memory_than_a_query_may_take_is_said(api: weft.Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(query._SEALED, "memory_limit", "100MB")  # type: ignore[index]
    with pytest.raises(UsageError, match="Out of Memory"):
        api.sql("select max(len(x)) from (select list(range) as x from range(90000000) group by range % 2)")


def test_a_limit_says_that_there_was_more(api: weft.Api) -> None:
    found = api.sql("from range(1000000000)", limit=3)
    assert (found.rows, found.cut) == ([(0,), (1,), (2,)], True)


def test_the_guide_tells_every_view_and_column() -> None:
    """A column without a type is text."""
    told = (Path(__file__).parents[3] / "docs" / "sql.md").read_text()
    for name, view in views.VIEWS.items():
        columns = ", ".join(column if kind == "text" else f"{column} {kind}" for column, kind in view.columns.items())
        assert f"| `{name}` | {view.about} | {columns} |" in told
