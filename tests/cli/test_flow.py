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
    writing, go_on, written, stop = threading.Event(), threading.Event(), [], threading.Event()

    def write(item, done):
        if item == 1:
            writing.set()
            go_on.wait(20)
        written.append(item)

    def work(item, read):
        if item > 1:
            while not stop.wait(0.001):
                pass
            raise Stopped
        return item

    outcomes = flow(range(6), lambda item: item, work, write, stop=stop)
    assert next(outcomes) == (0, None)
    assert writing.wait(20)
    closing = threading.Thread(target=outcomes.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive(), "the file is half written"
    assert written == [0]
    go_on.set()
    closing.join(20)
    assert written == [0, 1]
    time.sleep(0.1)
    assert written == [0, 1]


def test_what_waits_to_be_written_is_not_begun_any_more():
    first, written, stop = threading.Event(), [], threading.Event()

    def write(item, done):
        if item == 1:
            first.wait(20)
        written.append(item)

    outcomes = flow(range(6), lambda item: item, lambda item, read: item, write, stop=stop)
    next(outcomes)
    closing = threading.Thread(target=outcomes.close)
    closing.start()
    assert stop.wait(20)
    time.sleep(0.05)
    first.set()
    closing.join(20)
    time.sleep(0.1)
    assert written in ([0], [0, 1])
