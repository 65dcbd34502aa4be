"""Every engine does the same things: all items once, in order where asked, errors as they were, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dfrnet.parallel import ENGINES, THREADS, WorkerDiedError, engine, every_one, in_parallel
from dfrnet.types import UserError
from trees import child_environment

PACKAGES = {"local": "joblib", "ray": "ray", "dask": "distributed"}
WORKERS = 2
every_cluster = pytest.mark.parametrize("name", [name for name in ENGINES if name != "local"])


@contextmanager
def cluster_of(name, **how):
    """A cluster of two workers, begun by its own means; yields what ``engine`` must be told to join it."""
    if name == "ray":
        import ray

        ray.init("local", num_cpus=WORKERS, include_dashboard=False)
        try:
            yield {}
        finally:
            ray.shutdown()
    elif name == "dask":
        from distributed import LocalCluster

        how = {"n_workers": WORKERS, "threads_per_worker": 1} | how
        with LocalCluster(host="127.0.0.1", protocol="tcp", dashboard_address="127.0.0.1:0", **how) as cluster:
            yield {"address": cluster.scheduler_address}
    else:
        yield {}


@pytest.fixture(scope="module", params=ENGINES)
def cluster(request):
    """One for all tests: starting it takes seconds. Its owner lets libraries use two threads."""
    pytest.importorskip(PACKAGES[request.param])
    with pytest.MonkeyPatch.context() as environment:
        for variable in THREADS:
            environment.setenv(variable, "2")
        environment.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        with cluster_of(request.param) as address:
            yield request.param, address


@pytest.fixture
def here(cluster):
    """Within the engine, joined where it runs."""
    name, address = cluster
    with engine(name, **address):
        yield name


def work(function, items, *, jobs=WORKERS, ordered=True):
    return list(in_parallel(function, items, jobs=jobs, ordered=ordered))


def square(number):
    return number * number


def wait_for(path):
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return path.exists()


def after_the_next(position, folder):
    """The first item is not done before the second."""
    assert position or wait_for(folder / "1")
    (folder / str(position)).touch()
    return position


def after_a_result(position, folder):
    """The first item is not done before whoever asked has seen another's result."""
    assert position or wait_for(folder / "seen")
    return position


def refuse(number, bad, message):
    if number == bad:
        raise UserError(message)
    return number


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def divide(number):
    return 1 / number


def threads(_):
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return max(pool["num_threads"] for pool in threadpool_info())


@pytest.mark.parametrize("count", [0, 1, WORKERS, 7 * WORKERS + 1])
@pytest.mark.parametrize("ordered", [True, False])
def test_every_item_is_done_once(here, count, ordered):
    done = work(square, iter(range(count)), ordered=ordered)
    assert (done if ordered else sorted(done)) == [number * number for number in range(count)]


def test_order_is_kept_where_asked(here, tmp_path):
    assert work(partial(after_the_next, folder=tmp_path), range(6)) == [0, 1, 2, 3, 4, 5]


def test_results_come_as_they_are_ready_where_not(here, tmp_path):
    results = in_parallel(partial(after_a_result, folder=tmp_path), range(6), jobs=WORKERS, ordered=False)
    first = next(results)
    (tmp_path / "seen").touch()
    assert first != 0
    assert sorted([first, *results]) == [0, 1, 2, 3, 4, 5]


def test_items_travel_as_they_are(here):
    """Tuples with a function first, lists and dicts are work or containers to some engines."""
    items = [(square, 3), [1, (square, 2)], {"a": (square, 1)}, None, "text", np.arange(3)]
    done = work(lambda item: item, items)
    assert done[:-1] == items[:-1]
    assert done[-1].tolist() == [0, 1, 2]


def test_a_large_array_inside_the_function_arrives(here):
    x = np.random.default_rng(0).random((200, 3000))
    assert work(partial(lambda i, x: float(x[i].sum()), x=x), range(5)) == [float(x[i].sum()) for i in range(5)]


def test_a_users_mistake_stays_one_sentence(here):
    with pytest.raises(UserError) as caught:
        work(partial(refuse, bad=3, message="clip a/b/c: mend it"), range(9), ordered=False)
    assert type(caught.value) is UserError
    assert str(caught.value) == "clip a/b/c: mend it"


def test_any_other_error_keeps_its_kind(here):
    with pytest.raises(ZeroDivisionError):
        work(divide, [1, 0])
    assert work(divide, [1, 2]) == [1, 0.5], "and the engine goes on working"


def test_results_come_while_others_are_still_to_be_done(here, tmp_path):
    """The list of items is not read ahead of the work, and may be left unfinished."""
    read = []

    def numbers():
        for number in range(100_000):
            read.append(number)
            yield number

    results = in_parallel(square, numbers(), jobs=WORKERS)
    assert next(results) == 0
    results.close()
    assert len(read) < 10_000


def test_a_worker_computes_on_one_thread(here):
    assert set(work(threads, range(4))) == {1}


def test_no_number_of_jobs_is_every_core_of_the_cluster(here):
    if here == "local":
        pytest.skip("the command line counts the cores of this machine")
    assert work(square, range(5), jobs=0) == [0, 1, 4, 9, 16]


@every_cluster
def test_killed_workers(name, tmp_path, monkeypatch):
    """One costs nothing but its item's time; an item that kills them all ends the work; nobody is left behind."""
    pytest.importorskip(PACKAGES[name])
    psutil = pytest.importorskip("psutil")
    before = set(psutil.Process().children(recursive=True))
    marker = tmp_path / "died"

    def die_once(number):
        if number == 3 and not marker.exists():
            marker.touch()
            die(number)
        return number

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    with engine(name, jobs=1):  # the only worker: whatever it held is gone
        assert work(die_once, range(6)) == list(range(6))
        assert marker.exists()
        with pytest.raises(UserError, match=r"^\w+: the workers of one item died 4 times.*more memory"):
            work(die, [1])
    left = [process for process in set(psutil.Process().children(recursive=True)) - before if process.is_running()]
    # Python's own, one for all that this process ever starts
    assert [words for process in left if "resource_tracker" not in (words := " ".join(process.cmdline()))] == []


def die_at_three(number):
    return die(number) if number == 3 else number


def test_a_killed_worker_of_this_machine_is_one_sentence():
    with pytest.raises(WorkerDiedError, match=r"a process that worked died.*fewer --jobs"):
        work(die_at_three, range(6))
    assert work(square, range(3)) == [0, 1, 4], "and the next work finds living ones"


def test_an_item_that_kills_its_process_ends_nothing_else():
    """Those that were under way beside it are done again."""
    done = list(every_one(die_at_three, range(8), jobs=WORKERS, died=lambda number: f"{number} died"))
    assert sorted(done, key=str) == [0, 1, 2, "3 died", 4, 5, 6, 7]


def test_several_items_that_kill_their_processes():
    assert list(every_one(die, range(3), jobs=WORKERS, died=str)) == ["0", "1", "2"]


def test_an_error_of_an_item_is_still_raised():
    with pytest.raises(ZeroDivisionError):
        list(every_one(divide, [1, 0, 2], jobs=WORKERS, died=str))


def test_an_unknown_engine_is_answered_with_the_known_ones():
    sentence = r"unknown engine 'rya'; did you mean 'ray'\? known: local, ray, dask"
    with pytest.raises(UserError, match=sentence), engine("rya"):
        pass


def test_local_has_no_address():
    with pytest.raises(UserError, match="choose ray or dask"), engine("local", address="10.0.0.1:6379"):
        pass


def test_dask_refuses_workers_with_several_threads():
    pytest.importorskip("distributed")
    with (
        cluster_of("dask", n_workers=1, threads_per_worker=2, processes=False) as address,
        pytest.raises(UserError, match=r"has 2 threads.*--nthreads 1"),
        engine("dask", **address),
    ):
        pass


@every_cluster
def test_a_cluster_that_does_not_answer_is_named(name, monkeypatch):
    pytest.importorskip(PACKAGES[name])
    monkeypatch.setattr("dfrnet.parallel.WAIT_SECONDS", 1)
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # a port where nobody listens would take Ray 40 s
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no cluster answers at (nowhere|.*127.0.0.1:9) .*_ADDRESS"), engine(name):
        pass


def test_dask_without_workers_does_not_wait_for_ever(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("dfrnet.parallel.WAIT_SECONDS", 1)
    with (
        cluster_of("dask", n_workers=0) as address,
        pytest.raises(UserError, match="had no worker for 1 s; start some with: dask worker"),
        engine("dask", **address),
    ):
        pass


def test_the_choice_ends_with_its_block_and_belongs_to_its_thread():
    pytest.importorskip("distributed")
    seen = []

    def pid(_):
        return os.getpid()

    with cluster_of("dask", n_workers=1) as address, engine("dask", **address):
        assert work(pid, [0], jobs=1) != [os.getpid()]
        other = threading.Thread(target=lambda: seen.extend(work(pid, [0], jobs=1)))
        other.start()
        other.join()
    assert seen == work(pid, [0], jobs=1) == [os.getpid()], "one job without an engine needs no other process"


SCRIPT = """
import os, sys
from dfrnet.parallel import engine, in_parallel

def pid(_):
    return os.getpid()

if __name__ == "__main__":
    print(os.getpid(), flush=True)
    with engine(sys.argv[1], jobs=2):
        print(*set(in_parallel(pid, range(8), jobs=2)), flush=True)
        sys.stdin.read()
"""


def alive(group):
    """Processes of the session that ``group`` leads."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == group and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@every_cluster
def test_a_killed_command_takes_its_workers_along(name, tmp_path):
    """Two small agents of Ray's need a minute to see it; they compute nothing."""
    pytest.importorskip(PACKAGES[name])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    child = subprocess.Popen(
        [sys.executable, str(script), name], env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert int(child.stdout.readline()) == child.pid
        workers = {int(word) for word in child.stdout.readline().split()}
        assert workers
        assert workers <= alive(child.pid) - {child.pid}
        child.kill()
        child.wait()
        until = time.monotonic() + 40
        while workers & alive(child.pid) and time.monotonic() < until:
            time.sleep(0.2)
        assert not workers & alive(child.pid)
    finally:
        child.stdin.close()
        child.stdout.close()
        for pid in alive(child.pid):
            os.kill(pid, signal.SIGKILL)


RETIRING = """
import os
from dfrnet.parallel import in_parallel

def once(item):
    from joblib.externals.loky import process_executor as own

    own._MEMORY_LEAK_CHECK_DELAY, own._MAX_MEMORY_LEAK_SIZE = -1, -(10**15)  # this worker has grown too large
    return item, os.getpid()

if __name__ == "__main__":
    done = list(in_parallel(once, range(10), jobs=2))
    assert [item for item, _ in done] == list(range(10))
    print(len({pid for _, pid in done}) > 2)
"""


def test_a_worker_that_is_replaced_is_nothing_to_tell(python, tmp_path):
    """Workers that end while there is work, as loky ends those whose memory grows, and as idle ones do."""
    pytest.importorskip("psutil")
    script = tmp_path / "script.py"
    script.write_text(RETIRING)
    done = python("-W", "always::UserWarning", str(script))
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_the_default_imports_no_cluster(python):
    done = python(
        "-c", "import sys, dfrnet.parallel as p\n"
        "with p.engine(): list(p.in_parallel(abs, [1], jobs=1))\n"
        "print([m for m in ('ray', 'distributed', 'dask') if m in sys.modules])",
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr
