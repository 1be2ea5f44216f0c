"""What alembic runs: it migrates inside the transaction that `Database.open` holds."""

from alembic import context

from nextword.label.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
