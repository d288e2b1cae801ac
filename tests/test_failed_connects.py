"""A server that hangs: whoever connects in vain leaves nothing behind, and no more try than may be connected.

With Python's collector off, as it comes seldom to a process that serves.
"""

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import database as databases
from app.database import Database
from app.database.postgresql import POOL_SIZE
from tests.commands import eventually

TRIES = 5


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@contextmanager
def listening(answer: Callable[[socket.socket], object] | None) -> Iterator[int]:
    """A port where whoever connects is answered so, or not at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    accepted, _address = listener.accept()
                    with accepted:
                        accepted.recv(1000)
                        assert answer is not None
                        answer(accepted)

        serving = threading.Thread(target=serve if answer else lambda: None)
        serving.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            serving.join()


def hang_up(_accepted: socket.socket) -> None:
    """The socket is closed behind it."""


def have_too_many_clients(accepted: socket.socket) -> None:
    fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"
    accepted.sendall(b"E" + (len(fields) + 4).to_bytes(4) + fields)


def sockets(*ports: int) -> int:
    """How many of this process' sockets are connected to one of these ports of this host."""
    connected = {
        fields[9]
        for fields in map(str.split, Path("/proc/self/net/tcp").read_text().splitlines()[1:])
        if fields[2] in [f"0100007F:{port:04X}" for port in ports]
    }
    return len(connected & {inode.removeprefix("socket:[").removesuffix("]") for inode in _open_files()})


def _open_files() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            yield os.readlink(f"/proc/self/fd/{number}")


def opened(*ports: int) -> Database:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return databases.connect(f"postgresql://jawel@{hosts}/jawel?connect_timeout=2&sslmode=disable&gssencmode=disable")


def ask(database: Database) -> type[Exception] | None:
    try:
        with database.transaction() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return type(error)
    return None


@pytest.mark.parametrize("answer", [None, hang_up, have_too_many_clients])
def test_a_connect_that_fails_gives_its_socket_back_at_once(answer: Callable[[socket.socket], object] | None) -> None:
    with listening(answer) as port:
        database = opened(port)
        with ThreadPoolExecutor(TRIES) as people:
            assert list(people.map(ask, [database] * TRIES)) == [OperationalError] * TRIES
        assert sockets(port) == 0


def test_so_does_one_that_fails_at_each_of_several_hosts() -> None:
    with listening(None) as first, listening(None) as second:
        database = opened(first, second)
        with ThreadPoolExecutor(TRIES) as people:
            assert list(people.map(ask, [database] * TRIES)) == [OperationalError] * TRIES
        assert sockets(first, second) == 0


def test_connects_under_way_are_of_the_share_also_where_their_pool_was_given_up() -> None:
    with listening(None) as port, ThreadPoolExecutor(2 * POOL_SIZE) as people:
        database = opened(port)
        asked = [people.submit(ask, database) for _ in range(POOL_SIZE)]
        eventually(lambda: sockets(port) == POOL_SIZE)
        database.dispose()
        asked += [people.submit(ask, database) for _ in range(POOL_SIZE)]
        most = 0
        while not all(each.done() for each in asked):
            most = max(most, sockets(port))
            time.sleep(0.01)
        assert most == POOL_SIZE
        assert {each.result() for each in asked} <= {OperationalError, PoolTimeout}
        assert sockets(port) == 0


@pytest.mark.parametrize("engine", ["postgresql"])
def test_what_comes_back_to_a_pool_that_was_given_up_is_closed_at_once(database: Database) -> None:
    with database.transaction() as session, database.read_only() as connection:
        used = [each.execute(text("SELECT pg_backend_pid()")).scalar() for each in (session, connection)]
        database.dispose()
    _await_end(database, used)


@pytest.mark.parametrize("engine", ["postgresql"])
def test_what_comes_back_at_hand_from_such_a_pool_is_not_left_below_newer_ones(database: Database) -> None:
    with ExitStack() as of_the_old, ExitStack() as of_the_new:
        used = [_backend(of_the_old, database), _backend(of_the_old, database)]
        database.reader.dispose()
        _backend(of_the_new, database)
        of_the_old.close()
    _await_end(database, used)


def _backend(block: ExitStack, database: Database) -> int:
    driver = block.enter_context(database.read_only()).connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.info.backend_pid


def _await_end(database: Database, used: Sequence[int | None]) -> None:
    def ended() -> bool:
        with database.transaction() as session:
            found = session.execute(text(f"SELECT 1 FROM pg_stat_activity WHERE pid IN ({used[0]}, {used[1]})"))
            return not found.all()

    eventually(ended)
