"""What every test may ask for: a fake clock, a home folder, a store, and real databases of both kinds."""

from __future__ import annotations

import itertools
import os

# Two test processes whose threads wait for each other on two cores take minutes for what takes seconds; a library that
# brings OpenMP reads this when it is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, sync_playwright
from tests import collection

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database, migrate, open_database

# Invented examples are the same in every run, and a busy machine may take its time over one: a run that fails fails again.
# To look for new ones: pytest --hypothesis-profile default --hypothesis-seed 0, or another seed.
hypothesis.settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same")


START_TIMEOUT_S = 60.0
SERVER_OWNER = "postgres"  # the server refuses to run as root
TEMPLATE = "lockgate_template"


def pytest_configure(config: pytest.Config) -> None:
    """The whole suite is gathered and ordered as `collection.py` says."""
    config.pluginmanager.register(collection)


@pytest.fixture
def clock() -> FakeClock:
    """A time that moves only when told."""
    return FakeClock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home folder of its own."""
    return Home(tmp_path / "home").prepare()


@pytest.fixture
def blobs(home: Home) -> Blobs:
    """The store in the home folder."""
    return Blobs(str(home.blobs))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, closed SQLite file that tests copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "lockgate.db"
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def sqlite(home: Home, sqlite_template: Path) -> Iterator[Database]:
    """A migrated SQLite database in the home folder."""
    shutil.copyfile(sqlite_template, home.database)
    database = open_database(f"sqlite:///{home.database}")
    yield database
    database.close()


class PostgresServer:
    """A real PostgreSQL that lives as long as the test run: socket only, no fsync, its folder thrown away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, programs: Path) -> None:
        """Make the cluster, start the server, and migrate the database that tests are copied from."""
        data = self.folder / "data"
        subprocess.run(
            [*_as_owner(), programs / "initdb", "-D", data, "-U", SERVER_OWNER, "-A", "trust", "--no-sync",
             "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, capture_output=True,
        )  # fmt: skip
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off",
                    "full_page_writes": "off", "max_connections": "100"}  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("wb") as log:
            # QUIT when this process dies, however it dies: no server outlives its tests
            self._process = subprocess.Popen(
                [*_as_owner("--pdeathsig", "QUIT"), programs / "postgres", "-D", data, *options],
                stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()
        self._administer(f"CREATE DATABASE {TEMPLATE}")
        template = open_database(self.url(TEMPLATE))
        migrate(template)
        template.close()

    def stop(self) -> None:
        """Stop the server and take its folder away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # its "immediate shutdown"; nothing here is to be kept
            self._process.wait(START_TIMEOUT_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://{SERVER_OWNER}@/{name}?host={self.folder}"

    def create(self) -> str:
        """A fresh migrated database; its name."""
        name = f"test_{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    def drop(self, name: str) -> None:
        """Take a database away, whoever is connected."""
        self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return self._administer("SELECT 1")
            except sa.exc.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "server.log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
                time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL per test process (each xdist worker has its own)."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip(
            "PostgreSQL is not installed: put initdb and postgres on PATH (Debian: apt install postgresql)"
        )
    # pytest's own temporary folder is closed to other users, and the server runs as one when we are root
    folder = Path(tempfile.mkdtemp(prefix="lockgate-pg-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, SERVER_OWNER)
    server = PostgresServer(folder)
    try:
        server.start(programs)
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Database]:
    """A fresh migrated PostgreSQL database."""
    name = postgres_server.create()
    database = open_database(postgres_server.url(name))
    yield database
    database.close()
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database, once of each kind."""
    found: Database = request.getfixturevalue(request.param)
    return found


def _as_owner(*options: str) -> list[str]:
    if os.geteuid() == 0:
        options = (f"--reuid={SERVER_OWNER}", f"--regid={SERVER_OWNER}", "--clear-groups", *options)
    return ["setpriv", *options] if options else []


def _postgres_programs() -> Path | None:
    """The folder with initdb and postgres: Debian keeps it off PATH."""
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return found[-1].parent if found else None


CHROMIUM_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window. Ends with its module: while it runs, its event loop holds the thread."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=CHROMIUM_SWITCHES)
        yield browser
        browser.close()
