"""Alembic's entry: runs the migrations on the connection that `lockgate.db.migrate` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, render_as_batch=True)
with connection.begin():
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(846351)")  # two starts at once take turns
    context.run_migrations()
