"""Settings of the bank's tools, read from environment variables."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

DATABASE_URL = "BANK_DATABASE_URL"
"""Name of the variable below, which `Database` reads by itself."""


class BankSettings(BaseSettings):
    """Where the bank's accounts are kept."""

    database_url: SecretStr | None = Field(
        None,
        validation_alias="BANK_DATABASE_URL",
        description="PostgreSQL database with the accounts and all bookings on them: "
        "postgresql://user:password@host/database. Without it, the accounts are the demo's, and the mesh's bookings on "
        "them are in Restate's state.",
    )
