"""Data versions that stay where they are: a file, a version of a Delta table, a query. Only what tells them apart is kept."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from lockgate.datasets.delta import delta_files, delta_rows
from lockgate.datasets.images import FILES
from lockgate.datasets.queried import query_rows, require_order, without_password
from lockgate.datasets.versions import Origin, Source
from lockgate.governance.people import Person
from lockgate.wiring.data_rows import working_folder
from lockgate.wiring.datasets import Added, Tell, add_any, add_table, file_source, may_refer, may_write
from lockgate.wiring.house import House

ROWS = "rows.parquet"


def refer_table(house: House, person: Person, name: str, path: Path, *, tell: Tell) -> Added:
    """A table that stays where it is, on this machine: only its digests are kept. Raises as `add_table`, NotFound."""
    with house.db.read() as tx:
        may_write(tx, person)
        may_refer(tx, person)
    return add_any(house, person, name, path, source=file_source(path, refer=True), tell=tell)


def refer_delta(
    house: House, person: Person, name: str, folder: Path, number: int | None, *, tell: Tell
) -> Added:
    """A version of a Delta table (None: the newest) that stays where it is: pinned by its number and the digests of its files.

    Raises as `add_table`, NotFound for files that are gone.
    """
    with house.db.read() as tx:
        may_write(tx, person)
        may_refer(tx, person)
    tell("reading the files", 0, 3)
    files = delta_files(folder, number)
    listing = files.encoded()
    source = Source(
        origin=Origin.DELTA, said=f"{folder.name}, version {files.number}", path=str(folder.resolve()),
        sha256=sha256(listing).hexdigest(), version=files.number,
    )  # fmt: skip
    house.blobs.put(f"{FILES}/{source.sha256}", listing)
    with working_folder(house) as work:
        delta_rows(str(folder), files.number, work / ROWS)
        return add_table(house, person, name, work / ROWS, source=source, tell=tell)


def refer_query(house: House, person: Person, name: str, sql: str, address: str, *, tell: Tell) -> Added:
    """The rows of a query that stay in their database: query and digest are kept, and each use asks again.

    `address` may hold a password, which is not written down. Raises as `add_table`, InvalidInput for a query without an order.
    """
    with house.db.read() as tx:
        may_write(tx, person)
        may_refer(tx, person)
    require_order(sql)
    place = without_password(address)
    source = Source(origin=Origin.SQL, said=f"{place}: {sql}", path=place, query=sql)
    tell("asking the database", 0, 3)
    with working_folder(house) as work:
        rows = query_rows(sql, address, work / ROWS)
        return add_table(house, person, name, rows, source=source, tell=tell)
