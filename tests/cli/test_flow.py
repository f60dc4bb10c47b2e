"""Photographs flow: read ahead, worked on, written behind, in order, few at a time, and stopped between whole files."""

import threading
import time

import pytest

from jaxir.cli.flow import Stopped, flow


def through(items, *, read=lambda i: i, work=lambda i, r: r, write=lambda i, d: d, jobs=1):
    return list(flow(items, read, work, write, jobs=jobs, stop=threading.Event()))


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_item_comes_out_in_its_order(jobs):
    def work(item, read):
        time.sleep(0.01 if item % 2 else 0)
        return 10 * read

    assert through(range(9), work=work, jobs=jobs) == [(i, 10 * i) for i in range(9)]


@pytest.mark.parametrize("stage", ["read", "work", "write"])
def test_one_failure_leaves_the_others_alone(stage):
    def fails_at_2(item, *_):
        if item == 2:
            raise ValueError("no")
        return item

    outcomes = dict(through(range(4), **{stage: fails_at_2}))
    assert isinstance(outcomes.pop(2), ValueError)
    assert outcomes == {0: 0, 1: 1, 3: 3}


def test_a_mistake_of_ours_is_not_taken_for_a_bad_file():
    def mistaken(item, read):
        raise AttributeError("typo")

    with pytest.raises(AttributeError, match="typo"):
        through(range(3), work=mistaken)


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_than_two_items_wait_beside_those_that_are_worked_on(jobs):
    held, most = 0, 0

    def read(item):
        nonlocal held, most
        held += 1
        most = max(most, held)
        return item

    def write(item, done):
        nonlocal held
        time.sleep(0.002)
        held -= 1

    through(range(12), read=read, write=write, jobs=jobs)
    assert most <= jobs + 2


def test_so_many_jobs_are_worked_on_at_a_time():
    together = threading.Barrier(3, timeout=20)
    through(range(3), work=lambda item, read: together.wait(), jobs=3)


def test_stopping_waits_for_the_file_that_is_written_and_begins_no_other():
    began, written, stop = threading.Event(), [], threading.Event()

    def write(item, done):
        began.set()
        time.sleep(0.1)
        written.append(item)

    def work(item, read):
        if item:
            began.wait(20)
            while not stop.is_set():
                time.sleep(0.001)
            raise Stopped
        return item

    outcomes = flow(range(5), lambda item: item, work, write, stop=stop)
    thread = threading.Thread(target=lambda: next(outcomes))
    thread.start()
    thread.join()
    outcomes.close()
    assert written == [0]
    time.sleep(0.15)
    assert written == [0]
