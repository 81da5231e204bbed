"""Flags: what a page's log says is wrong with pictures reaches flagged.csv, whatever the log is."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.flags import (
    JOINERS,
    MAX_REASON,
    Flag,
    check_flags,
    one_line,
    read_flags,
)
from tessera.tiling.answers.pack import pack
from tessera.tiling.csv_field import plain_text
from tessera.tiling.report.flags import flag_figures
from tests.fakes import Files
from tests.tiling.answers.test_gather import Job, gathered, source

ANSWER = {"0": {"cat": True, "dog": False}, "1": {"cat": False, "dog": True}}


def flagging(**flags: Any) -> dict[str, Any]:
    """An answer of a page that flags pictures."""
    tiles = [{"id": name[1:], "load": "ok", "flag": reason} for name, reason in flags.items()]
    return ANSWER | {"meta": json.dumps({"tiles": tiles})}


def packed(*answers: dict[str, Any]) -> dict[str, Any]:
    """What the output manifest holds of a task with these answers."""
    annotations = [
        {"workerId": f"w{number}", "annotationData": {"content": json.dumps(answer)}}
        for number, answer in enumerate(answers)
    ]
    task = {
        "datasetObjectId": "0",
        "dataObject": {"content": source([0, 1])},
        "annotations": annotations,
    }
    return dict(pack([task], "label", lambda _: b"")[0][0]["consolidatedAnnotation"]["content"])


def rows(folder: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(folder.files["flagged.csv"].decode().splitlines()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["tiles", "id", "flag", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_a_log_in_any_form_flags_something_or_nothing(log: Any, is_text: bool) -> None:
    flags = read_flags({"meta": json.dumps(log) if is_text else log})
    assert all(reason == reason.strip() and reason for reason in flags.values())


@given(st.text(min_size=1, max_size=3 * MAX_REASON))
def test_a_reason_is_one_short_line_that_no_spreadsheet_runs(reason: str) -> None:
    for line in read_flags(flagging(_0=reason)).values():
        assert len(line) <= MAX_REASON
        assert "".join(one for one in line if one not in JOINERS).isprintable()
        assert one_line(line) == line
        row = Flag(7, "s3://pets/7.jpg", "=cat", line, "ann", 1).row().decode()
        (fields,) = csv.reader([row])
        assert (len(fields), plain_text(fields[3])) == (6, line)
        assert not fields[3].startswith(("=", "@", "\t"))


def test_a_reason_in_any_script_stays_as_it_was_written() -> None:
    for reason in ("می\u200cخواهم", "क्\u200dष", "👨\u200d👩\u200d👧 twice", "é=1"):
        assert one_line(reason) == reason
    assert one_line("\u200d=1+1\u200c") == "=1+1"
    assert one_line("\u200d \u200c") == ""
    assert one_line("x" * 199 + " y") == "x" * 199


def test_answers_without_flags_are_packed_as_ever_and_flags_are_a_key_of_their_own() -> None:
    plain, flagged = packed(ANSWER | {"meta": "{}"}), packed(flagging(_1="wrong question"))
    assert plain["label"].keys() == {"compact", "responses"}
    assert flagged["label"]["responses"] == [
        plain["label"]["responses"][0] | {"flags": {"1": "wrong question"}}
    ]
    assert "compact" not in flagged["label"]  # which has no place for them


def test_flags_of_a_job_are_in_its_csv_with_picture_answer_and_worker() -> None:
    files = Files()
    job = Job(files, [0, 1])
    line = {"source": source([0, 1])} | packed(flagging(_1="wrong question"), ANSWER)
    job.put(f"{job.folder}manifests/output/output.manifest", [line])
    book, folder = gathered(files)
    assert list(book.label) == [0, 1, 0, 1]
    expected = {
        "index": "1",
        "source": "s3://pets/1.jpg",
        "label": "dog",
        "reason": "wrong question",
        "worker": "w0",
        "round": "1",
    }
    assert rows(folder) == [expected]


@pytest.mark.parametrize("ended", [True, False])
def test_flags_of_a_rescued_answer_are_there_too(ended: bool) -> None:
    files = Files()
    job = Job(files, [0, 1], [2])
    if ended:
        job.end({"bob": {"0": "cat", "1": "cat"}})
    answer = {"workerId": "ann", "answerContent": flagging(_0="two things", _9="of no task")}
    name = f"{job.folder}annotations/worker-response/iteration-1/0/ann.json"
    files.objects[name] = json.dumps({"answers": [answer]}).encode()
    _, folder = gathered(files)
    assert [(row["index"], row["source"], row["reason"]) for row in rows(folder)] == [
        ("0", "s3://pets/0.jpg", "two things")
    ]


@pytest.mark.parametrize("flags", [7, [], {"0": 7}, {"0": ""}, {"x": "y"}, None])
def test_flags_that_somebody_spoilt_in_an_output_cost_no_answer(flags: Any) -> None:
    files = Files()
    job = Job(files, [0, 1])
    line = {"source": source([0, 1])} | packed(ANSWER, ANSWER)
    del line["label"]["compact"]
    line["label"]["responses"][0]["flags"] = flags
    job.put(f"{job.folder}manifests/output/output.manifest", [line])
    book, folder = gathered(files)
    assert len(book.image) == 4
    assert "flagged.csv" not in folder.files


@pytest.mark.parametrize("meta", [None, 7, "{", '{"flag"', '["flag"]', '{"tiles": ["flag"]}'])
def test_a_log_without_flags_passes_the_door(meta: Any) -> None:
    check_flags({"meta": meta})


def test_the_report_counts_pictures_and_reasons_and_names_the_final_label() -> None:
    flags = [
        Flag(1, "s3://p/1", "cat", "wrong question", "ann", 1),
        Flag(1, "s3://p/1", "dog", "wrong question", "bob", 1),
        Flag(4, "s3://p/4", "", "=1+1", "ann", 2),
    ]
    lines = [b"index,source,label,reason,worker,round", *(flag.row().strip() for flag in flags)]
    figures = flag_figures(lines, {1: "dog", 4: ""}.__getitem__)
    assert (figures["images"], figures["flags"]) == (2, 3)
    assert figures["reasons"] == {"wrong question": 2, "=1+1": 1}
    assert [picture["label"] for picture in figures["pictures"]] == ["dog", "dog", ""]
    assert flag_figures(lines[:1], str) == {}
