"""Long work: progress, results, errors, files, lost jobs."""

import io
import threading

import pytest
from fastapi import UploadFile

from lockgate.errors import Busy, Conflict, NotFound
from lockgate.web.jobs import MOST_WAITING, WORKERS, Jobs, JobState
from lockgate.web.uploads import keep, start_job


@pytest.fixture
def jobs(clock, tmp_path):
    """Jobs of a console that is closed afterwards."""
    made = Jobs(clock, tmp_path / "jobs")
    yield made
    made.close()


def finished(jobs, job):
    """The job when it has ended."""
    for _ in range(6_000):
        if jobs.get(job.id).ended_us is not None:
            return jobs.get(job.id)
        threading.Event().wait(0.01)
    raise AssertionError(f"job {job} does not end")


def test_progress_and_result(jobs):
    """While it runs, its phase is seen; afterwards its result."""
    go, said = threading.Event(), threading.Event()

    def work(progress):
        progress("reading", 3, 10, "rows")
        said.set()
        go.wait(60)
        return {"rows": 10}

    job = jobs.start("score", "churn/1", "anna", work)
    assert said.wait(60)
    running = jobs.get(job.id)
    assert (running.state, running.phase, running.done, running.total) == (JobState.RUNNING, "reading", 3, 10)
    go.set()
    assert (finished(jobs, job).state, finished(jobs, job).result) == (JobState.DONE, {"rows": 10})


def test_an_error_is_kept(jobs):
    """What the work raises is the job's error, with its code."""

    def work(_progress):
        raise Conflict("somebody was first", fix="again")

    done = finished(jobs, jobs.start("submit", "churn", "anna", work))
    assert done.state is JobState.FAILED
    assert (done.error["code"], done.error["fix"]) == ("conflict", "again")


def test_a_defect_is_an_id(jobs, caplog):
    """A defect in a job is logged under a number; the job holds only the number."""
    with caplog.at_level("ERROR"):
        done = finished(jobs, jobs.start("submit", "churn", "anna", lambda _: 1 / 0))
    assert done.error["code"] == "internal"
    assert done.error["what"].split()[-1] in caplog.text


def test_a_panic_costs_no_worker(jobs, caplog):
    """What is no Exception (polars panics so) is a defect of its job alone: as many as there are threads, and work goes on."""

    class Panic(BaseException):
        pass

    def panic(_progress):
        raise Panic

    with caplog.at_level("ERROR"):
        lost = [jobs.start("submit", "churn", "anna", panic) for _ in range(WORKERS + 1)]
        assert {finished(jobs, job).error["code"] for job in lost} == {"internal"}
    assert finished(jobs, jobs.start("submit", "churn", "anna", lambda _: None)).state is JobState.DONE


def test_work_that_fails_while_the_console_closes_says_nothing(clock, tmp_path, caplog):
    """Its files are taken away under its hands: that is no defect worth a word on somebody's screen."""
    closing, jobs = threading.Event(), Jobs(clock, tmp_path / "jobs")
    begun, ended = threading.Event(), threading.Event()

    def work(_progress):
        begun.set()
        closing.wait(60)
        ended.set()
        raise FileNotFoundError("train.parquet")

    jobs.start("submit", "churn", "anna", work)
    assert begun.wait(60)
    jobs.close(0.0)
    with caplog.at_level("ERROR"):
        closing.set()
        assert ended.wait(60)
        for thread in jobs._threads:
            thread.join(60)
    assert caplog.text == ""


def test_a_lost_job_says_so(jobs, clock, tmp_path):
    """A job of a console that restarted is said to be lost; one that never was is not."""
    job = jobs.start("submit", "churn", "anna", lambda _: None)
    after_restart = Jobs(clock, tmp_path / "jobs")
    with pytest.raises(NotFound, match="lost when the console restarted"):
        after_restart.get(job.id)
    with pytest.raises(NotFound, match="never was"):
        jobs.get(job.id.partition("-")[0] + "-nothing")
    after_restart.close()


def test_an_upload_of_a_refused_job_is_taken_away(jobs, tmp_path):
    """While too many jobs wait another is refused, and what was sent for it does not stay on the disk."""
    go = threading.Event()
    waiting = [jobs.start("score", "churn/1", "anna", lambda _: go.wait(60)) for _ in range(MOST_WAITING)]
    sent = {"file": [UploadFile(io.BytesIO(b"a,b"), filename="rows.csv")]}
    named = {"kind": "score", "subject": "churn/1", "person": "anna"}
    folder, kept = keep(jobs, sent)
    assert kept["file"][0].read_bytes() == b"a,b"
    with pytest.raises(Busy):
        start_job(jobs, folder, lambda _: None, **named)
    assert not folder.exists()
    go.set()
    finished(jobs, waiting[-1])
    folder, kept = keep(jobs, sent)
    done = finished(jobs, start_job(jobs, folder, lambda _: kept["file"][0].name, **named))
    assert done.result == "rows.csv"
    assert not folder.exists()


def test_files_and_forgetting(jobs, clock):
    """A job's file is there when it is done, and goes with the job after an hour."""
    target = jobs.place("table.parquet")
    job = jobs.start("score", "churn/1", "anna", lambda _: target.write_bytes(b"x"), file=target)
    assert jobs.file_of(finished(jobs, job)) == target
    clock.sleep(3601)
    jobs.start("score", "churn/1", "anna", lambda _: None)
    with pytest.raises(NotFound):
        jobs.get(job.id)
    assert not target.exists()
